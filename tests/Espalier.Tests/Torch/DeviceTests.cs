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

    [Theory]
    [InlineData(null, true)]
    [InlineData("", true)]
    [InlineData("ALL", true)]
    [InlineData("avx512_core_bf16", true)]
    [InlineData("AVX512_CORE_FP16", true)]
    [InlineData("AVX512_CORE_AMX", true)]
    [InlineData("AVX512_CORE", false)]
    [InlineData("AVX512_CORE_VNNI", false)]
    [InlineData("AVX2", false)]
    public void OneDnnMayBeToldToUseLess(string? most, bool allows)
    {
        Assert.Equal(allows, CpuFeatures.AllowsBFloat16(name => name == "ONEDNN_MAX_CPU_ISA" ? most : null));
        Assert.Equal(allows, CpuFeatures.AllowsBFloat16(name => name == "DNNL_MAX_CPU_ISA" ? most : null));
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
