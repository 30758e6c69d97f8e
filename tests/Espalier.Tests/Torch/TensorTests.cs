using Espalier.Torch;

namespace Espalier.Tests.Torch;

public class TensorTests
{
    [Fact]
    public void ElementsComeBackAsTheyWent()
    {
        RoundTrip<float>([1, -0.5f, float.NaN, float.Epsilon, float.NegativeInfinity, 3], ScalarType.Float32);
        RoundTrip<double>([1, -0.5, double.NaN, double.Epsilon, double.MaxValue, 3], ScalarType.Float64);
        RoundTrip([long.MinValue, -1, 0, 1, long.MaxValue, 7], ScalarType.Int64);
        RoundTrip([int.MinValue, -1, 0, 1, int.MaxValue, 7], ScalarType.Int32);
        RoundTrip<byte>([0, 1, 2, 127, 128, 255], ScalarType.UInt8);
        RoundTrip([true, false, true, true, false, false], ScalarType.Bool);

        static void RoundTrip<T>(T[] values, ScalarType type)
            where T : unmanaged
        {
            Tensor tensor = Tensor.From<T>(values, [3, 1, 2]);
            Assert.Equal(type, tensor.Type);
            Assert.Equal([3, 1, 2], tensor.Shape);
            Assert.Equal(6, tensor.Count);
            Assert.Equal(6 * type.Size(), tensor.ByteLength);
            Assert.Equal(Device.Cpu, tensor.Device);
            Assert.Equal(values, tensor.ToArray<T>());
            Near.Identical(tensor, Tensor.FromBytes(Near.Bytes(tensor), tensor.Shape, type));
        }
    }

    [Fact]
    public void ScalarsAndEmptyTensorsHaveShapes()
    {
        Tensor scalar = Tensor.From<float>([2.5f], []);
        Assert.Empty(scalar.Shape);
        Assert.Equal(1, scalar.Count);
        Assert.Equal(2.5, scalar.Item());

        Tensor empty = Tensor.Zeros([0, 4]);
        Assert.Equal([0, 4], empty.Shape);
        Assert.Empty(empty.ToArray<float>());
    }

    [Fact]
    public void FullAndZerosFill()
    {
        Assert.Equal([1.5f, 1.5f], Tensor.Full([2], 1.5).ToArray<float>());
        Assert.Equal([7L, 7], Tensor.Full([1, 2], 7, ScalarType.Int64).ToArray<long>());
        Tensor like = Tensor.ZerosLike(Tensor.Full([2, 3], 9, ScalarType.Float64));
        Assert.Equal([2, 3], like.Shape);
        Assert.Equal(new double[6], like.ToArray<double>());
    }

    [Fact]
    public void WhatDoesNotFitTheShapeIsRefusedWithBothSizes()
    {
        TorchException exception = Assert.Throws<TorchException>(() => Tensor.From<float>([1, 2, 3], [2, 2]));
        Assert.Contains("16 bytes", exception.Message, StringComparison.Ordinal);
        Assert.Contains("12", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadingAsAnotherTypeIsRefusedByName()
    {
        InvalidOperationException exception =
            Assert.Throws<InvalidOperationException>(() => Tensor.Zeros([2]).ToArray<long>());
        Assert.Contains("Float32", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Int64", exception.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => Tensor.Zeros([2]).ToArray<ushort>());
    }

    [Fact]
    public void CopyingIntoTooSmallABufferIsRefused()
    {
        TorchException exception = Assert.Throws<TorchException>(() => Tensor.Zeros([2]).CopyBytesTo(new byte[7]));
        Assert.Contains("8 bytes", exception.Message, StringComparison.Ordinal);
        Assert.Contains("7", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>libtorch's own words, without the C++ stack below them.</summary>
    [Fact]
    public void FailuresCarryTheMessageOfLibtorch()
    {
        string message = Assert.Throws<TorchException>(() => Tensor.Zeros([2, 3]) + Tensor.Zeros([2, 4])).Message;
        Assert.Contains("must match the size of tensor b", message, StringComparison.Ordinal);
        Assert.DoesNotContain("frame #", message, StringComparison.Ordinal);

        Assert.Contains("shape", Message(() => Tensor.Zeros([2, 3]).Reshape(4)), StringComparison.Ordinal);
        Assert.Contains("2x3 and 2x3", Message(() => Tensor.Zeros([2, 3]).MatMul(Tensor.Zeros([2, 3]))), StringComparison.Ordinal);
        Assert.Contains("Dimension out of range", Message(() => Tensor.Zeros([2]).Transpose(0, 5)), StringComparison.Ordinal);
        Assert.Contains("negative dimension", Message(() => Tensor.Zeros([-1])), StringComparison.Ordinal);
        Assert.NotEmpty(Message(() => Tensor.Zeros([2]).Item()));
        Assert.NotEmpty(Message(() => Tensor.Zeros([2]).Narrow(0, 1, 2)));
        Assert.NotEmpty(Message(() => Tensor.Zeros([1L << 50])));

        static string Message(Func<object> action) => Assert.Throws<TorchException>(action).Message;
    }

    [Fact]
    public void ShapesThatDoNotFitAFunctionAreNamed()
    {
        string linear = Assert.Throws<TorchException>(
            () => Functional.Linear(Tensor.Zeros([2, 3]), Tensor.Zeros([4, 5]), Tensor.None)).Message;
        Assert.Contains("[2, 3]", linear, StringComparison.Ordinal);
        Assert.Contains("[4, 5]", linear, StringComparison.Ordinal);

        string attention = Assert.Throws<TorchException>(
            () => Functional.SelfAttention(Tensor.Zeros([1, 2, 30]), 3, causal: true, dropout: 0)).Message;
        Assert.Contains("3 heads", attention, StringComparison.Ordinal);
        Assert.Contains("[1, 2, 30]", attention, StringComparison.Ordinal);

        Assert.Throws<TorchException>(() => Functional.Embedding(
            Tensor.Zeros([4, 2]), Tensor.From<long>([4], [1])));
        Assert.Throws<TorchException>(() => Functional.CrossEntropy(
            Tensor.Zeros([2, 3]), Tensor.From<long>([0], [1])));
    }

    [Fact]
    public void CopyFromOverwritesInPlaceAndChecksTheShape()
    {
        Tensor target = Tensor.Zeros([2, 2]);
        target.CopyFrom(Tensor.From<float>([1, 2, 3, 4], [2, 2]));
        Assert.Equal([1f, 2, 3, 4], target.ToArray<float>());

        // Neither broadcast nor reshaped in silence.
        TorchException exception = Assert.Throws<TorchException>(() => target.CopyFrom(Tensor.Zeros([2])));
        Assert.Contains("[2, 2]", exception.Message, StringComparison.Ordinal);
        Assert.Equal([1f, 2, 3, 4], target.ToArray<float>());
    }

    [Fact]
    public void TheWeightsOfATrainingModelCanBeOverwritten()
    {
        Tensor weight = Tensor.Zeros([2]);
        weight.RequiresGrad = true;
        weight.Fill(3);
        Assert.Equal([3f, 3], weight.ToArray<float>());
        weight.CopyFrom(Tensor.From<float>([4, 5], [2]));
        Assert.Equal([4f, 5], weight.ToArray<float>());
        Assert.True(weight.RequiresGrad);
    }

    [Fact]
    public void ACloneHasItsOwnMemoryAndAViewDoesNot()
    {
        Tensor tensor = Tensor.From<float>([1, 2, 3, 4], [2, 2]);
        Tensor clone = tensor.Clone(), view = tensor.Narrow(0, 1, 1);
        tensor.Fill(9);
        Assert.Equal([1f, 2, 3, 4], clone.ToArray<float>());
        Assert.Equal([9f, 9], view.ToArray<float>());

        // Also on the device where it lies already, as a copy to the processor of what is there.
        Tensor there = tensor.Clone(Device.Cpu);
        tensor.Fill(7);
        Assert.Equal([9f, 9, 9, 9], there.ToArray<float>());
    }

    [Fact]
    public void ToRoundsToNearestEven()
    {
        // Each lies in the middle between two bfloat16.
        Tensor tensor = Tensor.From<float>([1 + (1f / 256), 1 + (3f / 256), 100.25f], [3]);
        Assert.Equal(
            [1, 1 + (4f / 256), 100],
            tensor.To(ScalarType.BFloat16, Device.Cpu).To(ScalarType.Float32, Device.Cpu).ToArray<float>());
    }

    [Fact]
    public void TransposedElementsAreReadRowByRow()
    {
        Tensor tensor = Tensor.From<float>([1, 2, 3, 4, 5, 6], [2, 3]).Transpose(0, 1);
        Assert.Equal([3, 2], tensor.Shape);
        Assert.Equal([1f, 4, 2, 5, 3, 6], tensor.ToArray<float>());
        Assert.Equal([1f, 4, 2, 5, 3, 6], tensor.Clone().ToArray<float>());
    }

    [Fact]
    public void OperatorsBroadcast()
    {
        Tensor a = Tensor.From<float>([1, 2, 3, 4], [2, 2]), b = Tensor.From<float>([10, 20], [2]);
        Assert.Equal([11f, 22, 13, 24], (a + b).ToArray<float>());
        Assert.Equal([-9f, -18, -7, -16], (a - b).ToArray<float>());
        Assert.Equal([10f, 40, 30, 80], (a * b).ToArray<float>());
        Assert.Equal([0.5f, 1, 1.5f, 2], (a * 0.5).ToArray<float>());
        Assert.Equal([7f, 10, 15, 22], a.MatMul(a).ToArray<float>());
    }

    [Fact]
    public void ShapesAndReductions()
    {
        Tensor a = Tensor.From<float>([1, 2, 3, 6, 5, 4], [2, 3]);
        Assert.Equal([3, 2], a.Reshape(3, -1).Shape);
        Assert.Equal([2f, 3, 5, 4], a.Narrow(1, 1, 2).ToArray<float>());
        Assert.Equal([6f, 5, 4, 1, 2, 3, 6, 5, 4], a.IndexSelect(0, Tensor.From<long>([1, 0, 1], [3])).ToArray<float>());
        Assert.Equal([1f, 2, 3, 6, 5, 4, 1, 2, 3, 6, 5, 4], Tensor.Concatenate([a, a], 0).ToArray<float>());
        Assert.Equal(21, a.Sum().Item());
        Assert.Equal(3.5, a.Mean().Item());
        Assert.Equal([2L, 0], a.ArgMax().ToArray<long>());
        Assert.Equal([1L, 1, 1], a.ArgMax(0).ToArray<long>());
        Near.Equal(
            [Math.Tanh(1), Math.Tanh(2), Math.Tanh(3), Math.Tanh(6), Math.Tanh(5), Math.Tanh(4)], Near.Values(a.Tanh()), 1e-6);
    }

    [Fact]
    public void SoftmaxIsSafeForLargeNumbersAndLogSoftmaxIsItsLogarithm()
    {
        Tensor x = Tensor.From<float>([1000, 1001, 999, -5, 0, 5], [2, 3]);
        double[] softmax = Near.Values(x.Softmax()), logSoftmax = Near.Values(x.LogSoftmax());
        double total = 1 + Math.Exp(-1) + Math.Exp(-2);
        Near.Equal([Math.Exp(-1) / total, 1 / total, Math.Exp(-2) / total], softmax[..3], 1e-6);
        Near.Equal([.. softmax.Select(value => Math.Log(value))], logSoftmax, 1e-5);
        Near.Equal([1, 1, 1], Near.Values(x.Softmax(0)).Chunk(3).Aggregate((a, b) => [.. a.Zip(b, (p, q) => p + q)]), 1e-6);
    }
}
