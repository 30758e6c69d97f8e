namespace Espalier.Growth;

/// <summary>
/// For each of d layers, the one of N stored layers that it uses. The same maps share layers within a micro-batch and
/// copy them when the model grows.
/// </summary>
public static class LayerMap
{
    /// <summary>The map of a rule.</summary>
    /// <param name="kind">The rule.</param>
    /// <param name="stored">N, at least 1.</param>
    /// <param name="executed">d, at least N.</param>
    /// <exception cref="ArgumentOutOfRangeException">d is less than N, or N less than 1.</exception>
    public static int[] Build(LayerMapKind kind, int stored, int executed) => kind switch
    {
        LayerMapKind.Interpolate => Interpolate(stored, executed),
        LayerMapKind.Stack => Stack(stored, executed),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not a layer map"),
    };

    /// <summary>
    /// Layer i uses stored layer floor(i N / d), so that neighbours repeat: 3 as 8 is 0,0,0,1,1,1,2,2 (Apollo). In
    /// integers: the authors' doubles round some sizes down, first N = 14, d = 18.
    /// </summary>
    /// <inheritdoc cref="Build" path="/param"/>
    /// <inheritdoc cref="Build" path="/exception"/>
    public static int[] Interpolate(int stored, int executed)
    {
        Check(stored, executed);
        return [.. Enumerable.Range(0, executed).Select(i => (int)((long)i * stored / executed))];
    }

    /// <summary>
    /// The whole repeats; a last round that does not fit is its top part: 3 as 8 is 0,1,2,0,1,2,1,2 (StackBERT
    /// generalised). Up to twice as many are the layers and copies of the top ones (MSLT, arXiv 2011.13635).
    /// </summary>
    /// <inheritdoc cref="Build" path="/param"/>
    /// <inheritdoc cref="Build" path="/exception"/>
    public static int[] Stack(int stored, int executed)
    {
        Check(stored, executed);
        int whole = executed / stored * stored;
        return
        [
            .. Enumerable.Range(0, whole).Select(i => i % stored),
            .. Enumerable.Range(whole, executed - whole).Select(i => i - executed + stored),
        ];
    }

    /// <summary>
    /// Copies spread evenly over the layers, each above the one that it is a copy of, the last at the top: of 6 as 8 they follow
    /// the third and the sixth, 0,1,2,2,3,4,5,5 (LLaMA Pro, arXiv 2401.02415).
    /// </summary>
    /// <inheritdoc cref="Build" path="/param"/>
    /// <inheritdoc cref="Build" path="/exception"/>
    public static int[] Spread(int stored, int executed)
    {
        Check(stored, executed);
        int added = executed - stored;
        IEnumerable<int> copies = Enumerable.Range(1, added).Select(i => (int)((((long)i * stored) - 1) / added));
        return [.. Enumerable.Range(0, stored).Concat(copies).Order()];
    }

    /// <summary>
    /// Layer i uses stored layer i N / d, rounded, a half to the even number: 3 as 8 is 0,0,1,1,2,2,2,2 (ModernBERT's released code).
    /// The code goes past the highest layer where d is twice N or more; this stays there.
    /// </summary>
    /// <inheritdoc cref="Build" path="/param"/>
    /// <inheritdoc cref="Build" path="/exception"/>
    public static int[] Nearest(int stored, int executed)
    {
        Check(stored, executed);
        return
        [
            .. Enumerable.Range(0, executed).Select(
                i => Math.Min(stored - 1, (int)Math.Round((double)i * stored / executed, MidpointRounding.ToEven))),
        ];
    }

    /// <summary>
    /// Of n blocks of as many layers as are added, block ceil(n/2), counted from 1, stands twice: 6 as 8 is 0,1,2,3,2,3,4,5 (MIDAS,
    /// arXiv 2409.19044). Layers that make up no block lie half below and half above the blocks.
    /// </summary>
    /// <inheritdoc cref="Build" path="/param"/>
    /// <exception cref="ArgumentOutOfRangeException">d is less than N or more than twice N, or N less than 1.</exception>
    public static int[] MiddleBlock(int stored, int executed)
    {
        CheckAtMostTwice(stored, executed);
        int added = executed - stored;
        if (added == 0)
        {
            return Interpolate(stored, executed);
        }

        int start = (((stored / added) + 1) / 2 - 1) * added + (stored % added / 2);
        return [.. Enumerable.Range(0, start + added), .. Enumerable.Range(start, stored - start)];
    }

    /// <summary>
    /// Of an even number of blocks, between the middle two stand the upper half of the one and the lower half of the other once
    /// more: 4 as 6 is 0,1,1,2,2,3 (LIDAS, arXiv 2512.08819). An odd number has a middle block, which then stands twice as in
    /// <see cref="MiddleBlock"/>.
    /// </summary>
    /// <inheritdoc cref="MiddleBlock" path="/param"/>
    /// <inheritdoc cref="MiddleBlock" path="/exception"/>
    public static int[] MiddleLayers(int stored, int executed)
    {
        CheckAtMostTwice(stored, executed);
        int added = executed - stored;
        if (added == 0 || stored / added % 2 == 1)
        {
            return MiddleBlock(stored, executed);
        }

        int middle = stored / 2;
        return
        [
            .. Enumerable.Range(0, middle),
            .. Enumerable.Range(middle - (added / 2), added),
            .. Enumerable.Range(middle, stored - middle),
        ];
    }

    /// <summary>
    /// Two copies, where they meet without the last layers of the lower and the first of the upper, equally many: 4 as 6 is
    /// 0,1,2,1,2,3 (SOLAR, arXiv 2312.15166). Of an odd number that is left out, the upper loses one more.
    /// </summary>
    /// <inheritdoc cref="MiddleBlock" path="/param"/>
    /// <inheritdoc cref="MiddleBlock" path="/exception"/>
    public static int[] Overlap(int stored, int executed)
    {
        CheckAtMostTwice(stored, executed);
        int lower = (executed + 1) / 2, upper = executed - lower;
        return [.. Enumerable.Range(0, lower), .. Enumerable.Range(stored - upper, upper)];
    }

    private static void CheckAtMostTwice(int stored, int executed)
    {
        Check(stored, executed);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(executed, 2 * stored);
    }

    private static void Check(int stored, int executed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stored, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(executed, stored);
    }
}
