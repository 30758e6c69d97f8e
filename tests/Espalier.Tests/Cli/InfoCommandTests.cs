using System.Text.Json;
using Espalier.Torch;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class InfoCommandTests
{
    [Fact]
    public void SaysWhatComputesHere()
    {
        JsonElement info = JsonDocument.Parse(CommandLine.Succeed(["info", "--json"])).RootElement;
        Assert.Equal(Engine.TorchVersion, info.GetProperty("libtorch").GetProperty("version").GetString());
        Assert.True(File.Exists(info.GetProperty("libtorch").GetProperty("path").GetString()));
        Assert.True(File.Exists(info.GetProperty("blas").GetProperty("path").GetString()));
        Assert.Equal(Engine.Threads, info.GetProperty("threads").GetInt32());
        Assert.Equal(Engine.CudaDeviceCount, info.GetProperty("cuda_devices").GetInt32());
        Assert.Equal(Device.Best.ToString(), info.GetProperty("device").GetString());
        Assert.Equal(Engine.HasFastBFloat16(Device.Best) ? "bf16" : "f32", info.GetProperty("precision").GetString());
        Assert.True(info.GetProperty("matmul").GetProperty("f32_gflops").GetDouble() > 0.1);
        Assert.True(info.GetProperty("matmul").GetProperty("bf16_gflops").GetDouble() > 0.1);
    }

    [Fact]
    public void WarnsOfABlasThatFightsLibtorch()
    {
        Assert.Contains("libopenblas0-openmp", EngineInfo.Warning(new BlasInfo("x", "OpenBLAS", "pthread")), StringComparison.Ordinal);
        Assert.Null(EngineInfo.Warning(new BlasInfo("x", "OpenBLAS", "OpenMP")));
        Assert.Null(EngineInfo.Warning(new BlasInfo("x", "", "unknown")));
    }
}
