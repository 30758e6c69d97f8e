namespace Espalier.Growth;

/// <summary>A growth that has happened.</summary>
/// <param name="Step">The updates that had been done.</param>
/// <param name="Operator">The operator, as it describes itself.</param>
/// <param name="Rewarm">What the learning rate has done since.</param>
public sealed record GrowthRecord(long Step, string Operator, Rewarm? Rewarm = null);
