using Espalier.Torch;

namespace Espalier.Tests.Torch;

/// <summary>
/// .NET makes exceptions of two signals. A library that libtorch brings along may take them over: then these tests do not fail,
/// they end the process (UCX, with Debian 13's libtorch).
/// </summary>
public class SignalTests
{
    public SignalTests() => Assert.NotEmpty(Engine.TorchVersion);

    [Fact]
    public void ANullReferenceIsAnException() => Assert.Throws<NullReferenceException>(() => Nothing()!.Length);

    [Fact]
    public void ADivisionByZeroIsAnException() => Assert.Throws<DivideByZeroException>(() => 1 / Zero());

    private static int[]? Nothing() => null;

    private static int Zero() => 0;
}
