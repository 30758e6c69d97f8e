namespace Espalier.Planning;

/// <summary>
/// When to stack a small model into a large one, by the fit of G_stack (arXiv 2405.15319, section 4.3): log10 d = 0.88 log10 N +
/// 163.27 / log10 C - 5.74, d the tokens before, N the parameters of the large model, C the FLOPs of the whole run.
/// </summary>
internal static class StackLaw
{
    /// <summary>d.</summary>
    /// <param name="size">N.</param>
    /// <param name="flops">C.</param>
    public static double Tokens(double size, double flops) =>
        Math.Pow(10, (0.88 * Math.Log10(size)) + (163.27 / Math.Log10(flops)) - 5.74);
}
