namespace Espalier.Data;

/// <summary>How far a long job on data has come.</summary>
/// <param name="Activity">What is being done, such as <c>counting words</c>.</param>
/// <param name="Done">How much of <paramref name="Total"/> is done.</param>
/// <param name="Total">All there is to do, in bytes of input or in merges; 0 when it is not known.</param>
public readonly record struct DataProgress(string Activity, long Done, long Total);
