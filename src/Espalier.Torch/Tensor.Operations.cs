using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <content>Shapes and arithmetic. Every operation follows the gradient and throws <see cref="TorchException"/>
/// where the shapes do not fit.</content>
public sealed partial class Tensor
{
    /// <summary>The same elements in another shape; one size may be -1 and follows from the others.</summary>
    public unsafe Tensor Reshape(params ReadOnlySpan<long> shape)
    {
        fixed (long* pointer = shape)
        {
            return Check(esp_reshape(this, pointer, shape.Length));
        }
    }

    /// <summary>The same elements in another shape and in the same memory, so that writing to one writes to both; the tensor is contiguous.</summary>
    public unsafe Tensor View(params ReadOnlySpan<long> shape)
    {
        fixed (long* pointer = shape)
        {
            return Check(esp_view(this, pointer, shape.Length));
        }
    }

    /// <summary>Two axes swapped.</summary>
    public Tensor Transpose(int a, int b) => Check(esp_transpose(this, a, b));

    /// <summary>The part of an axis that begins at <paramref name="start"/>: a view.</summary>
    public Tensor Narrow(int axis, long start, long length) => Check(esp_narrow(this, axis, start, length));

    /// <summary>The chosen places of an axis, in the order of <paramref name="index"/> (int64): a copy.</summary>
    public Tensor IndexSelect(int axis, Tensor index) => Check(esp_index_select(this, axis, index));

    /// <summary>This tensor with chosen places of an axis replaced: the inverse of <see cref="IndexSelect"/>.</summary>
    /// <param name="axis">The axis.</param>
    /// <param name="index">The places (int64), each at most once.</param>
    /// <param name="source">What stands there instead, in the order of <paramref name="index"/>.</param>
    public Tensor IndexCopy(int axis, Tensor index, Tensor source) => Check(esp_index_copy(this, axis, index, source));

    /// <summary>The tensors one after the other along an axis.</summary>
    public static unsafe Tensor Concatenate(IReadOnlyList<Tensor> tensors, int axis)
    {
        Span<nint> handles = stackalloc nint[tensors.Count];
        for (int i = 0; i < tensors.Count; i++)
        {
            handles[i] = tensors[i].DangerousGetHandle();
        }

        fixed (nint* pointer = handles)
        {
            Tensor result = Check(esp_cat(pointer, tensors.Count, axis));
            GC.KeepAlive(tensors);
            return result;
        }
    }

    /// <summary>a + b, broadcast.</summary>
    public static Tensor operator +(Tensor a, Tensor b) => Check(esp_add(a, b));

    /// <summary>a - b, broadcast.</summary>
    public static Tensor operator -(Tensor a, Tensor b) => Check(esp_sub(a, b));

    /// <summary>a * b, element by element, broadcast.</summary>
    public static Tensor operator *(Tensor a, Tensor b) => Check(esp_mul(a, b));

    /// <summary>Every element times a number.</summary>
    public static Tensor operator *(Tensor a, double b) => Check(esp_mul_scalar(a, b));

    /// <summary>The matrix product of the last two axes, broadcast over the others.</summary>
    public Tensor MatMul(Tensor other) => Check(esp_matmul(this, other));

    /// <summary>The hyperbolic tangent.</summary>
    public Tensor Tanh() => Check(esp_tanh(this));

    /// <summary>The sum of all elements.</summary>
    public Tensor Sum() => Check(esp_sum(this));

    /// <summary>The mean of all elements.</summary>
    public Tensor Mean() => Check(esp_mean(this));

    /// <summary>exp(x) divided by its sum along an axis.</summary>
    public Tensor Softmax(int axis = -1) => Check(esp_softmax(this, axis));

    /// <summary>The logarithm of <see cref="Softmax"/>, computed safely.</summary>
    public Tensor LogSoftmax(int axis = -1) => Check(esp_log_softmax(this, axis));

    /// <summary>The place (int64) of the largest element along an axis.</summary>
    public Tensor ArgMax(int axis = -1) => Check(esp_argmax(this, axis));
}
