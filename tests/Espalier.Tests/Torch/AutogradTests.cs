using Espalier.Torch;

namespace Espalier.Tests.Torch;

public class AutogradTests
{
    [Fact]
    public void GradientsAccumulateUntilTheyAreCleared()
    {
        Tensor x = Leaf(1, 2, 3);
        Assert.Null(x.Grad);
        (x * x).Sum().Backward();
        Assert.Equal([2f, 4, 6], x.Grad!.ToArray<float>());
        (x * x).Sum().Backward();
        Assert.Equal([4f, 8, 12], x.Grad!.ToArray<float>());
        x.ClearGrad();
        Assert.Null(x.Grad);
        (x * 5).Sum().Backward();
        Assert.Equal([5f, 5, 5], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void OnlyWhatRequiresAGradientGetsOne()
    {
        Tensor x = Leaf(1, 2), constant = Tensor.From<float>([3, 4], [2]);
        (x * constant).Sum().Backward();
        Assert.Equal([3f, 4], x.Grad!.ToArray<float>());
        Assert.Null(constant.Grad);
        Assert.False(constant.RequiresGrad);
    }

    [Fact]
    public void DetachingAndCloningLeaveTheGraph()
    {
        Tensor x = Leaf(1, 2), y = x * 2;
        Assert.True(y.RequiresGrad);
        Assert.False(y.Detach().RequiresGrad);
        Assert.False(x.Clone().RequiresGrad);
        (y.Detach() * x).Sum().Backward();
        Assert.Equal([2f, 4], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void BackwardNeedsAScalarInAGraph()
    {
        Assert.Contains("scalar", Assert.Throws<TorchException>((Leaf(1, 2) * 2).Backward).Message, StringComparison.Ordinal);
        Assert.Contains("grad", Assert.Throws<TorchException>(Tensor.Zeros([]).Backward).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoGradRecordsNothingAndEndsWithItsBlock()
    {
        Tensor x = Leaf(1, 2);
        using (new NoGrad())
        {
            using (new NoGrad())
            {
                Assert.False((x * 2).RequiresGrad);
            }

            Assert.False((x * 2).RequiresGrad);
        }

        Assert.True((x * 2).RequiresGrad);
    }

    [Fact]
    public void AutocastComputesInBFloat16AndGivesSinglePrecisionGradients()
    {
        Tensor x = Trainable(Sample.Normal(1, 3, 8)), weight = Trainable(Sample.Normal(2, 8, 5)), bias = Trainable(Sample.Normal(3, 5));
        Tensor loss;
        using (new Autocast(Device.Cpu))
        {
            Tensor y = Functional.Linear(x, weight, bias);
            Assert.Equal(ScalarType.BFloat16, y.Type);
            Assert.Equal(ScalarType.BFloat16, x.MatMul(weight).Type);
            loss = (y * y).Sum();
        }

        Assert.Equal(ScalarType.Float32, Functional.Linear(x, weight, bias).Type);
        loss.Backward();
        foreach (Tensor leaf in (Tensor[])[x, weight, bias])
        {
            Assert.Equal(ScalarType.Float32, leaf.Type);
            Assert.Equal(ScalarType.Float32, leaf.Grad!.Type);
        }
    }

    /// <summary>The lowered copies are remembered within one block only, so that an update between two is seen.</summary>
    [Fact]
    public void AutocastSeesWeightsThatChangedBetweenItsBlocks()
    {
        Tensor x = Tensor.Full([1, 1], 1), weight = Trainable(Tensor.Full([1, 1], 2));
        Assert.Equal([2.0], Product());
        weight.Fill(3);
        Assert.Equal([3.0], Product());

        double[] Product()
        {
            using var autocast = new Autocast(Device.Cpu);
            return Near.Values(Functional.Linear(x, weight, Tensor.None));
        }
    }

    [Fact]
    public void DropoutScalesWhatItKeepsAndItsGradientAlike()
    {
        Tensor x = Trainable(Tensor.Full([200, 200], 3));
        Tensor y = Functional.Dropout(x, 0.25);
        double[] values = Near.Values(y);
        Assert.All(values, value => Assert.True(value == 0 || Math.Abs(value - 4) < 1e-6));
        Assert.InRange(values.Count(value => value == 0) / 40_000.0, 0.23, 0.27);

        y.Sum().Backward();
        Near.Equal([.. values.Select(value => value / 3)], Near.Values(x.Grad!), 1e-6);
        Assert.Same(x, Functional.Dropout(x, 0));
    }

    private static Tensor Leaf(params float[] values) => Trainable(Tensor.From<float>(values, [values.Length]));

    private static Tensor Trainable(Tensor tensor)
    {
        tensor.RequiresGrad = true;
        return tensor;
    }
}
