namespace Espalier.Data;

/// <summary>A file or folder of a corpus that is to make up a share of the training text.</summary>
/// <param name="Path">What was named.</param>
/// <param name="Weight">Its share, in proportion to the weights of the others.</param>
/// <param name="Files">How many of the corpus's files are its own.</param>
internal sealed record WeightedInput(string Path, double Weight, int Files);
