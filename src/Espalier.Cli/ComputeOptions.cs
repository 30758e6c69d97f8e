using System.CommandLine;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>--device</c> and <c>--precision</c>.</summary>
internal sealed class ComputeOptions
{
    /// <summary>Where to compute.</summary>
    public Option<string> Device { get; } = new("--device")
    {
        Description = "auto (the GPU if there is one), cpu, cuda or cuda:N.",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "auto",
    };

    /// <summary>The number format of matrix products.</summary>
    public Option<Precision> Precision { get; } = new("--precision")
    {
        Description = "auto (bf16 where the device computes in it natively), bf16 or f32.",
        HelpName = "auto|bf16|f32",
        DefaultValueFactory = _ => Models.Precision.Auto,
    };

    /// <summary>Adds both to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(Device);
        command.Add(Precision);
    }

    /// <summary>Where a command line asks to compute, and in which number format.</summary>
    /// <exception cref="UserErrorException">There is no such device.</exception>
    public Compute Of(ParseResult parsed) => Compute.Of(DeviceOf(parsed), parsed.GetValue(Precision));

    /// <summary>The device that a command line names.</summary>
    /// <exception cref="UserErrorException">There is no such device.</exception>
    public Device DeviceOf(ParseResult parsed)
    {
        try
        {
            return Torch.Device.Parse(parsed.GetValue(Device)!);
        }
        catch (FormatException exception)
        {
            throw new UserErrorException($"--device: {exception.Message}.", inner: exception);
        }
    }
}
