using Espalier.Torch;

namespace Espalier.Tests.Torch;

public class DeviceTests
{
    [Fact]
    public void ReadsTheProcessorAndTheBest()
    {
        Assert.Equal(Device.Cpu, Device.Parse("cpu"));
        Assert.Equal(Device.Best, Device.Parse("auto"));
        Assert.Equal(Engine.CudaDeviceCount > 0 ? DeviceType.Cuda : DeviceType.Cpu, Device.Best.Type);
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("CPU")]
    [InlineData("")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:x")]
    [InlineData("cuda:99999999999")]
    public void RefusesWhatNamesNoDevice(string text)
    {
        FormatException exception = Assert.Throws<FormatException>(() => Device.Parse(text));
        Assert.Contains($"'{text}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("auto, cpu, cuda or cuda:N", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusesADeviceThatIsNotHere()
    {
        string absent = $"cuda:{Engine.CudaDeviceCount}";
        TorchException exception = Assert.Throws<TorchException>(() => Device.Parse(absent));
        Assert.Contains($"'{absent}' is not here", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WritesWhatItReads()
    {
        Assert.Equal("cpu", Device.Cpu.ToString());
        Assert.Equal("cuda:3", new Device(DeviceType.Cuda, 3).ToString());
    }

    [Fact]
    public void TheEngineSaysWhatItRunsOn()
    {
        Assert.Matches(@"^\d+\.\d+", Engine.TorchVersion);
        Assert.True(File.Exists(Engine.LibtorchPath), Engine.LibtorchPath);
        Assert.InRange(Engine.Threads, 1, 4096);
        Assert.NotEmpty(Engine.CpuCapability);
    }
}
