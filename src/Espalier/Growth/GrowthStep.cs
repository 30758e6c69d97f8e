namespace Espalier.Growth;

/// <summary>A growth that is due.</summary>
/// <param name="Operator">How the state grows.</param>
/// <param name="ScheduleStep">
/// Where the learning rate's schedule goes on; null for where it is. Staged training goes back to where the larger model from
/// scratch would have the same loss (arXiv 2203.06211).
/// </param>
/// <param name="Rewarm">What the learning rate does then; null for nothing.</param>
public sealed record GrowthStep(GrowthOperator Operator, double? ScheduleStep = null, Rewarm? Rewarm = null);
