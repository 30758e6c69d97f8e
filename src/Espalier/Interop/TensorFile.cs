using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>Tensors in and out of safetensors files.</summary>
internal static class TensorFile
{
    /// <summary>A tensor as the writer takes it; its bytes are fetched when it is written.</summary>
    public static SafetensorsTensor Entry(string name, Tensor value) =>
        new(name, DTypeOf(value.Type), value.Shape, stream =>
        {
            var bytes = new byte[value.ByteLength];
            value.CopyBytesTo(bytes);
            stream.Write(bytes);
        });

    /// <summary>Reads a tensor that must have the given shape, as single precision.</summary>
    /// <exception cref="UserErrorException">The tensor is missing or has another shape.</exception>
    public static Tensor Read(SafetensorsFile file, string name, long[] shape, Device device)
    {
        if (!file.Contains(name))
        {
            throw new UserErrorException(
                $"{file.Path}: the tensor '{name}' is missing.", "The file belongs to another model, or was cut short.");
        }

        SafetensorsEntry entry = file[name];
        if (!entry.Shape.SequenceEqual(shape))
        {
            throw new UserErrorException(
                $"{file.Path}: '{name}' has the shape [{string.Join(", ", entry.Shape)}], the configuration asks for " +
                $"[{string.Join(", ", shape)}].");
        }

        using var scope = new TensorScope();
        Tensor stored = Tensor.FromBytes(file.Bytes(name), shape, TypeOf(file, entry));
        return scope.Keep(stored.To(ScalarType.Float32, device));
    }

    private static SafetensorsDType DTypeOf(ScalarType type) => type switch
    {
        ScalarType.Float32 => SafetensorsDType.F32,
        ScalarType.BFloat16 => SafetensorsDType.BF16,
        ScalarType.Float16 => SafetensorsDType.F16,
        ScalarType.Float64 => SafetensorsDType.F64,
        ScalarType.Int64 => SafetensorsDType.I64,
        _ => throw new NotSupportedException($"no tensor of {type} is ever saved"),
    };

    private static ScalarType TypeOf(SafetensorsFile file, SafetensorsEntry entry) => entry.DType switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.BF16 => ScalarType.BFloat16,
        SafetensorsDType.F16 => ScalarType.Float16,
        SafetensorsDType.F64 => ScalarType.Float64,
        _ => throw new UserErrorException(
            $"{file.Path}: '{entry.Name}' is of type {entry.DType.Name()}, and must be floating-point."),
    };
}
