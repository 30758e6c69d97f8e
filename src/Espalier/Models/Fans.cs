namespace Espalier.Models;

/// <summary>The size of a matrix. A vector is a matrix of one input.</summary>
/// <param name="In">Its inputs.</param>
/// <param name="Out">Its outputs.</param>
public readonly record struct Fans(double In, double Out)
{
    /// <summary>What the largest singular value of weights and of updates is in proportion to, where learning rates carry over.</summary>
    internal double Spectral => Math.Sqrt(Out / In);
}
