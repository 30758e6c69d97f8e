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
    /// generalised).
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

    private static void Check(int stored, int executed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stored, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(executed, stored);
    }
}
