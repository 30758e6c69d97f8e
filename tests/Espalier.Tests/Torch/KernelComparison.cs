using Espalier.Torch;

namespace Espalier.Tests.Torch;

/// <summary>
/// Holds a layer of a transformer against the same function composed of elementary operations in double precision: outputs and gradients,
/// at odd sizes, in single precision and under autocast, for tensors whose rows lie in memory and for transposed ones. A fused kernel has
/// to pass it.
/// </summary>
internal static class KernelComparison
{
    public const int Hidden = 20, Heads = 5, Vocabulary = 61;

    /// <summary>(T, bf16, transposed).</summary>
    public static TheoryData<int, bool, bool> Modes()
    {
        var modes = new TheoryData<int, bool, bool>();
        foreach (int time in (int[])[1, 7, 33])
        {
            foreach (bool bf16 in (bool[])[false, true])
            {
                modes.Add(time, bf16, false);
                modes.Add(time, bf16, true);
            }
        }

        return modes;
    }

    /// <summary>The inputs of which gradients are asked: each set but the empty one.</summary>
    public static TheoryData<bool, bool, bool> Frozen()
    {
        var sets = new TheoryData<bool, bool, bool>();
        for (int set = 1; set < 8; set++)
        {
            sets.Add((set & 1) != 0, (set & 2) != 0, (set & 4) != 0);
        }

        return sets;
    }

    /// <summary>
    /// Compares outputs and gradients. Transposed: every input of two or more axes, and the gradient of the output, lie
    /// in memory with their last two axes swapped.
    /// </summary>
    public static void Compare(
        Func<Tensor[], Tensor> function, Func<Tensor[], Tensor> composed, Tensor[] inputs, bool bf16, bool transposed,
        double singleTolerance = 1e-5, double lowerTolerance = 0.025)
    {
        Tensor[] exact = [.. inputs.Select(input => Leaf(Double(input)))];
        Tensor expected = composed(exact);
        Tensor upstream = expected.Shape.Length > 0 ? Sample.Normal(99, expected.Shape) : Tensor.Full([], 1);
        (expected * Double(upstream)).Sum().Backward();

        Tensor[] leaves = [.. inputs.Select(input => Leaf(Swap(input).Clone()))];
        Tensor actual, loss;
        using (bf16 ? new Autocast(Device.Cpu) : null)
        {
            actual = function([.. leaves.Select(Swap)]);
            loss = (Swap(actual) * Swap(upstream).Clone()).Sum();
        }

        loss.Backward();
        double tolerance = bf16 ? lowerTolerance : singleTolerance;
        Near.Equal(expected, actual, tolerance, "output");
        for (int i = 0; i < inputs.Length; i++)
        {
            Assert.Equal(ScalarType.Float32, leaves[i].Grad!.Type);
            Near.Equal(exact[i].Grad!, Swap(leaves[i].Grad!), tolerance, $"gradient {i}");
        }

        Tensor Swap(Tensor tensor) => transposed && tensor.Shape.Length > 1 ? tensor.Transpose(-2, -1) : tensor;
    }

    /// <summary>Gradients are the same whatever others are asked for, and there are no others.</summary>
    public static void OnlyTheseGradients(Func<Tensor[], Tensor> loss, Tensor[] inputs, bool[] asked)
    {
        Tensor[] all = [.. inputs.Select(Leaf)], some = [.. inputs.Select((input, i) => asked[i] ? Leaf(input) : input)];
        Tensor expected = loss(all), actual = loss(some);
        Near.Identical(expected.Detach(), actual.Detach());
        expected.Backward();
        actual.Backward();
        for (int i = 0; i < inputs.Length; i++)
        {
            if (asked[i])
            {
                Near.Identical(all[i].Grad!, some[i].Grad!, $"gradient {i}");
            }
            else
            {
                Assert.Null(some[i].Grad);
            }
        }
    }

    public static Tensor Leaf(Tensor tensor)
    {
        Tensor leaf = tensor.Clone();
        leaf.RequiresGrad = true;
        return leaf;
    }

    public static Tensor Double(Tensor tensor) => tensor.To(ScalarType.Float64, Device.Cpu);
}
