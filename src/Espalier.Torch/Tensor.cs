using System.Runtime.InteropServices;

using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>
/// A libtorch tensor. It is freed when the <see cref="TensorScope"/> in which it was made is disposed, or by
/// <see cref="SafeHandle.Dispose()"/>; the finalizer is only the net below.
/// </summary>
public sealed partial class Tensor : SafeHandle
{
    /// <summary>Stands for "no tensor" where an operation takes an optional one, such as a bias.</summary>
    public static Tensor None { get; } = new();

    /// <summary>For the marshaller, which fills in the handle.</summary>
    public Tensor()
        : base(0, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>How many native tensors exist in this process. A program that leaks sees it rise.</summary>
    public static long LiveCount => esp_live_tensors();

    /// <summary>The sizes of the axes.</summary>
    public unsafe long[] Shape
    {
        get
        {
            var shape = new long[esp_rank(this)];
            fixed (long* pointer = shape)
            {
                esp_shape(this, pointer);
            }

            return shape;
        }
    }

    /// <summary>The type of the elements.</summary>
    public ScalarType Type => esp_dtype(this);

    /// <summary>Where the elements lie.</summary>
    public Device Device
    {
        get
        {
            esp_device(this, out DeviceType type, out int index);
            return new Device(type, index);
        }
    }

    /// <summary>The number of elements.</summary>
    public long Count
    {
        get
        {
            long count = 1;
            foreach (long size in Shape)
            {
                count *= size;
            }

            return count;
        }
    }

    /// <summary>The bytes that the elements take.</summary>
    public long ByteLength => Count * Type.Size();

    /// <summary>A tensor with every element equal to <paramref name="value"/>.</summary>
    /// <exception cref="TorchException">The shape is impossible or memory has run out.</exception>
    public static unsafe Tensor Full(
        ReadOnlySpan<long> shape, double value, ScalarType type = ScalarType.Float32, Device device = default)
    {
        fixed (long* pointer = shape)
        {
            return Check(esp_full(pointer, shape.Length, value, type, device.Type, device.Index));
        }
    }

    /// <summary>A tensor whose elements are whatever the memory held: to be overwritten.</summary>
    /// <exception cref="TorchException">The shape is impossible or memory has run out.</exception>
    public static unsafe Tensor Empty(
        ReadOnlySpan<long> shape, ScalarType type = ScalarType.Float32, Device device = default)
    {
        fixed (long* pointer = shape)
        {
            return Check(esp_empty(pointer, shape.Length, type, device.Type, device.Index));
        }
    }

    /// <summary>A tensor of zeros.</summary>
    public static Tensor Zeros(
        ReadOnlySpan<long> shape, ScalarType type = ScalarType.Float32, Device device = default) =>
        Full(shape, 0, type, device);

    /// <summary>A tensor with the shape, type and device of another, all zeros.</summary>
    public static Tensor ZerosLike(Tensor other) => Zeros(other.Shape, other.Type, other.Device);

    /// <summary>A tensor with a copy of the given elements, laid out row by row.</summary>
    /// <typeparam name="T">float, double, long, int, byte or bool: fixes the tensor's type.</typeparam>
    /// <exception cref="TorchException">The shape does not hold that many elements.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> elements, ReadOnlySpan<long> shape, Device device = default)
        where T : unmanaged =>
        FromBytes(MemoryMarshal.AsBytes(elements), shape, ScalarTypeOf<T>(), device);

    /// <summary>A tensor with a copy of the given bytes, the elements in native byte order, row by row.</summary>
    /// <exception cref="TorchException">The shape does not hold that many bytes.</exception>
    public static unsafe Tensor FromBytes(
        ReadOnlySpan<byte> bytes, ReadOnlySpan<long> shape, ScalarType type, Device device = default)
    {
        fixed (byte* data = bytes)
        fixed (long* sizes = shape)
        {
            return Check(esp_from_host(data, bytes.Length, sizes, shape.Length, type, device.Type, device.Index));
        }
    }

    /// <summary>The elements, row by row, as an array.</summary>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is not the tensor's type.</exception>
    public unsafe T[] ToArray<T>()
        where T : unmanaged
    {
        if (ScalarTypeOf<T>() != Type)
        {
            throw new InvalidOperationException($"a tensor of {Type} cannot be read as {typeof(T).Name}");
        }

        var elements = new T[Count];
        fixed (T* data = elements)
        {
            _ = Check(esp_to_host(this, data, (long)elements.Length * sizeof(T)));
        }

        return elements;
    }

    /// <summary>Copies the elements' bytes, row by row, in native byte order.</summary>
    /// <param name="destination">Exactly <see cref="ByteLength"/> bytes.</param>
    public unsafe void CopyBytesTo(Span<byte> destination)
    {
        fixed (byte* data = destination)
        {
            _ = Check(esp_to_host(this, data, destination.Length));
        }
    }

    /// <summary>The only element, as a double.</summary>
    /// <exception cref="TorchException">There is more than one element, or none.</exception>
    public double Item()
    {
        _ = Check(esp_item(this, out double value));
        return value;
    }

    /// <summary>The same elements as another type, on another device, or both; itself where nothing changes.</summary>
    public Tensor To(ScalarType type, Device device) => Check(esp_to(this, type, device.Type, device.Index));

    /// <summary>A copy with its own memory, outside of any gradient graph.</summary>
    /// <param name="device">Where the copy lies; null for where this lies.</param>
    public Tensor Clone(Device? device = null)
    {
        Device place = device ?? Device;
        return Check(esp_clone(this, place.Type, place.Index));
    }

    /// <summary>Overwrites the elements with those of a tensor of the same shape.</summary>
    /// <exception cref="TorchException">The shapes differ.</exception>
    public void CopyFrom(Tensor source) => Check(esp_copy(this, source));

    /// <summary>Overwrites every element.</summary>
    public void Fill(double value) => Check(esp_fill(this, value));

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        esp_free(handle);
        return true;
    }

    internal Tensor Track()
    {
        TensorScope.Add(this);
        return this;
    }

    private static ScalarType ScalarTypeOf<T>() =>
        typeof(T) == typeof(float) ? ScalarType.Float32
        : typeof(T) == typeof(long) ? ScalarType.Int64
        : typeof(T) == typeof(double) ? ScalarType.Float64
        : typeof(T) == typeof(int) ? ScalarType.Int32
        : typeof(T) == typeof(byte) ? ScalarType.UInt8
        : typeof(T) == typeof(bool) ? ScalarType.Bool
        : throw new NotSupportedException($"tensors hold no {typeof(T).Name}");
}
