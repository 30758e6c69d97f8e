using Espalier.Torch;
using static Espalier.Tests.Torch.KernelComparison;

namespace Espalier.Tests.Torch;

/// <summary>Cross-entropy of scores, and of a vocabulary head in one piece with it.</summary>
public class CrossEntropyTests
{
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void LinearCrossEntropySum(int time, bool bf16, bool transposed)
    {
        Tensor x = Sample.Normal(1, 2 * time, Hidden), weight = Sample.Normal(2, Vocabulary, Hidden) * 0.5;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.LinearCrossEntropySum(t[0], t[1], Tensor.None, target),
                t => CrossEntropySum(t[0].MatMul(t[1].Transpose(0, 1)), targets), [x, weight], bf16, transposed);
        }
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void TheGradientCountsTheNormalizersAndTheValueDoesNot(int time, bool bf16, bool transposed)
    {
        const double ZLoss = 0.05;
        Tensor x = Sample.Normal(1, 2 * time, Hidden), weight = Sample.Normal(2, Vocabulary, Hidden) * 0.5;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.LinearCrossEntropySum(t[0], t[1], Tensor.None, target, ZLoss),
                t =>
                {
                    Tensor logits = t[0].MatMul(t[1].Transpose(0, 1)), penalty = NormalizersSquaredSum(logits, targets) * ZLoss;
                    return CrossEntropySum(logits, targets) + (penalty - penalty.Detach());
                },
                [x, weight], bf16, transposed);
        }
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Frozen), MemberType = typeof(KernelComparison))]
    public void LinearCrossEntropyGivesTheGradientsThatAreAskedOfIt(bool ofInput, bool ofWeight, bool ofBias)
    {
        Tensor targets = Tensor.From<long>([.. Targets(7).ElementAt(1)], [7]);
        OnlyTheseGradients(
            t => Functional.LinearCrossEntropySum(t[0], t[1], t[2], targets),
            [Sample.Normal(1, 7, Hidden), Sample.Normal(2, Vocabulary, Hidden), Sample.Normal(3, Vocabulary)],
            [ofInput, ofWeight, ofBias]);
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void CrossEntropyOfLogits(int time, bool bf16, bool transposed)
    {
        Tensor logits = Sample.Normal(1, 2 * time, Vocabulary) * 3;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.CrossEntropy(t[0], target), t => CrossEntropySum(t[0], targets) * (1.0 / targets.Count(target => target >= 0)),
                [logits], bf16, transposed);
        }
    }

    [Fact]
    public void IgnoredTargetsGetNoGradientAtAll()
    {
        Tensor x = Leaf(Sample.Normal(1, 6, Hidden)), weight = Leaf(Sample.Normal(2, Vocabulary, Hidden));
        Functional.LinearCrossEntropySum(x, weight, Tensor.None, Tensor.From<long>([-100, -100, -100, 5, -100, -100], [6])).Backward();
        double[] gradient = Near.Values(x.Grad!);
        for (int row = 0; row < 6; row++)
        {
            double[] values = gradient[(row * Hidden)..((row + 1) * Hidden)];
            Assert.Equal(row == 3, values.Any(value => value != 0));
        }
    }

    [Fact]
    public void CrossEntropySurvivesLargeLogits()
    {
        Tensor logits = Tensor.From<float>([1000, 0, -1000, 0, 1000, 0], [2, 3]);
        Assert.Equal(500, Functional.CrossEntropy(logits, Tensor.From<long>([0, 0], [2])).Item(), 3);
    }

    /// <summary>All counted, every third ignored, all but the last ignored.</summary>
    private static IEnumerable<long[]> Targets(int count)
    {
        long[] all = Sample.Indices(5, Vocabulary, count).ToArray<long>();
        yield return all;
        yield return [.. all.Select((target, i) => i % 3 == 1 ? Functional.IgnoredTarget : target)];
        yield return [.. all.Select((target, i) => i < count - 1 ? Functional.IgnoredTarget : target)];
    }

    private static Tensor NormalizersSquaredSum(Tensor logits, long[] targets)
    {
        Tensor normalizers = (logits - logits.LogSoftmax()).Narrow(1, 0, 1).Reshape(-1);
        Tensor counted = Tensor.From<double>([.. targets.Select(target => target >= 0 ? 1.0 : 0)], [targets.Length]);
        return (normalizers * normalizers * counted).Sum();
    }

    private static Tensor CrossEntropySum(Tensor logits, long[] targets)
    {
        var chosen = new double[logits.Count];
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                chosen[(i * Vocabulary) + targets[i]] = -1;
            }
        }

        return (logits.LogSoftmax() * Tensor.From<double>(chosen, logits.Shape)).Sum();
    }
}
