namespace Espalier.Growth;

/// <summary>A growth that a method has planned.</summary>
/// <param name="Step">The step before which the state grows.</param>
/// <param name="Operator">How it grows.</param>
public sealed record GrowthEvent(long Step, GrowthOperator Operator);
