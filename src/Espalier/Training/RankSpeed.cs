namespace Espalier.Training;

/// <summary>How fast one rank is.</summary>
/// <param name="FlopsPerSecond">In forward and backward passes.</param>
/// <param name="UpdateSeconds">What an update takes besides, however many micro-batches it has: clipping and the optimizer.</param>
internal readonly record struct RankSpeed(double FlopsPerSecond, double UpdateSeconds);
