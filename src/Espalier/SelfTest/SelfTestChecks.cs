using Espalier.Torch;

namespace Espalier.SelfTest;

/// <summary>
/// Whether an installation computes right: every operation, models forward and backward, and training steps, against values
/// computed in double precision.
/// </summary>
public static class SelfTestChecks
{
    /// <summary>All checks on a device, one after the other, each as it is asked for.</summary>
    public static IEnumerable<SelfTestCheck> Run(Device device)
    {
        using var reference = SelfTestReference.Open(device);
        foreach (SelfTestCheck check in OperationChecks.Run(reference, device)
            .Concat(KernelChecks.Run(device))
            .Concat(ModelChecks.Run(reference, device)))
        {
            yield return check;
        }
    }
}
