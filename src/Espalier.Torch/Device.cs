using System.Globalization;

namespace Espalier.Torch;

/// <summary>The kinds of device that Espalier computes on. The values are libtorch's own.</summary>
public enum DeviceType
{
    /// <summary>The processor.</summary>
    Cpu = 0,

    /// <summary>An NVIDIA GPU.</summary>
    Cuda = 1,
}

/// <summary>A device: "cpu" or "cuda:1".</summary>
/// <param name="Type">The kind of device.</param>
/// <param name="Index">Which one of its kind.</param>
public readonly record struct Device(DeviceType Type, int Index = 0)
{
    /// <summary>The processor.</summary>
    public static Device Cpu { get; } = new(DeviceType.Cpu);

    /// <summary>The best device here: the first GPU, or the processor where libtorch sees none.</summary>
    public static Device Best => Engine.CudaDeviceCount > 0 ? new Device(DeviceType.Cuda) : Cpu;

    /// <summary>Reads "auto", "cpu", "cuda" or "cuda:N".</summary>
    /// <exception cref="FormatException">The text names no device.</exception>
    /// <exception cref="TorchException">The device is not to be had here.</exception>
    public static Device Parse(string text)
    {
        switch (text)
        {
            case "auto":
                return Best;
            case "cpu":
                return Cpu;
        }

        int index = 0;
        bool isCuda = text == "cuda" ||
            (text.StartsWith("cuda:", StringComparison.Ordinal) &&
            int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out index));
        if (!isCuda)
        {
            throw new FormatException($"'{text}' is no device: use auto, cpu, cuda or cuda:N");
        }

        return index < Engine.CudaDeviceCount
            ? new Device(DeviceType.Cuda, index)
            : throw new TorchException(
                $"device '{text}' is not here: this libtorch sees {Engine.CudaDeviceCount} CUDA devices");
    }

    /// <summary>"cpu" or "cuda:N".</summary>
    public override string ToString() =>
        Type == DeviceType.Cpu ? "cpu" : string.Create(CultureInfo.InvariantCulture, $"cuda:{Index}");
}
