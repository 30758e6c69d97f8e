using System.Runtime.InteropServices;
using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>
/// Tensors in and out of safetensors files, a piece at a time: a tensor may be larger than any array, and needs no second
/// copy of itself in memory.
/// </summary>
internal static class TensorFile
{
    // Elements at a time: few enough to stay in a processor's cache on their way through the hash to the system.
    private const int Piece = 1 << 18;

    private static readonly Dictionary<SafetensorsDType, ScalarType> Types = new()
    {
        [SafetensorsDType.F32] = ScalarType.Float32,
        [SafetensorsDType.BF16] = ScalarType.BFloat16,
        [SafetensorsDType.F16] = ScalarType.Float16,
        [SafetensorsDType.F64] = ScalarType.Float64,
    };

    /// <summary>Whether tensors of a type can be parameters.</summary>
    public static bool IsFloatingPoint(SafetensorsDType type) => Types.ContainsKey(type);

    /// <summary>A tensor as the writer takes it; its bytes are fetched when it is written.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">The tensor.</param>
    /// <param name="type">What to round it to; floating-point.</param>
    /// <param name="piece">Elements at a time.</param>
    /// <exception cref="UserErrorException">When it is written: a number is beyond the type's range.</exception>
    public static SafetensorsTensor Entry(
        string name, Tensor value, SafetensorsDType type = SafetensorsDType.F32, int piece = Piece) =>
        new(name, type, value.Shape, stream =>
        {
            long count = value.Count;
            byte[] buffer = new byte[Math.Min(piece, count) * Types[type].Size()];
            for (long begin = 0; begin < count; begin += piece)
            {
                using var scope = new TensorScope();
                Tensor part = value.Reshape(-1).Narrow(0, begin, Math.Min(piece, count - begin)).To(Types[type], Device.Cpu);
                Span<byte> bytes = buffer.AsSpan(0, (int)part.ByteLength);
                part.CopyBytesTo(bytes);
                if (type == SafetensorsDType.F16)
                {
                    CheckRange(name, MemoryMarshal.Cast<byte, Half>(bytes));
                }

                stream.Write(bytes);
            }
        });

    /// <summary>Reads a tensor that must have the given shape, as single precision.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="device">Where to put it.</param>
    /// <param name="piece">Elements at a time.</param>
    /// <exception cref="UserErrorException">The tensor is missing, has another shape or no floating-point type.</exception>
    public static Tensor Read(SafetensorsFile file, string name, long[] shape, Device device, int piece = Piece)
    {
        SafetensorsEntry entry = file[name];
        if (!entry.Shape.SequenceEqual(shape))
        {
            throw new UserErrorException(
                $"{file.Path}: '{name}' has the shape [{string.Join(", ", entry.Shape)}], the configuration asks for " +
                $"[{string.Join(", ", shape)}].");
        }

        if (!Types.TryGetValue(entry.DType, out ScalarType type))
        {
            throw new UserErrorException(
                $"{file.Path}: '{entry.Name}' is of type {entry.DType.Name()}, and must be floating-point.");
        }

        using var scope = new TensorScope();
        Tensor value = Tensor.Empty(shape, ScalarType.Float32, device);
        Tensor flat = value.Reshape(-1);
        long count = value.Count;
        for (long begin = 0; begin < count; begin += piece)
        {
            using var inner = new TensorScope();
            int length = (int)Math.Min(piece, count - begin);
            int size = type.Size();
            flat.Narrow(0, begin, length)
                .CopyFrom(Tensor.FromBytes(file.Bytes(name, begin * size, length * size), [length], type));
        }

        return scope.Keep(value);
    }

    private static void CheckRange(string name, ReadOnlySpan<Half> numbers)
    {
        foreach (Half number in numbers)
        {
            if (Half.IsInfinity(number))
            {
                throw new UserErrorException(
                    $"'{name}' has numbers that f16 cannot hold: its largest is {Half.MaxValue}.", "Write bf16 or f32.");
            }
        }
    }
}
