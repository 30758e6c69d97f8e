using System.Text.Json;
using Espalier.SelfTest;
using Espalier.Torch;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public class SelfTestCommandTests
{
    [Fact]
    public void ThisInstallationComputesRight()
    {
        string[] lines = CommandLine.Succeed(["selftest", "--device", "cpu"]).TrimEnd().Split('\n');
        Assert.Equal($"{lines.Length - 2} passed, 0 failed", lines[^1]);
        Assert.All(lines[..^2], line => Assert.StartsWith("ok", line, StringComparison.Ordinal));
        Assert.All(
            ["causal_attention", "adamw", "linear_cross_entropy", "gpt2: gradients", "bert: gradients", "training: weights"],
            check => Assert.Contains(lines[..^2], line => line.Contains($" {check} ", StringComparison.Ordinal)));

        JsonElement json = JsonDocument.Parse(CommandLine.Succeed(["selftest", "--device", "cpu", "--json"])).RootElement;
        Assert.Equal(lines.Length - 2, json.GetProperty("passed").GetInt32());
        Assert.Equal(lines.Length - 2, json.GetProperty("checks").GetArrayLength());
    }

    /// <summary>By a list of this test's own: one that the reference or the code gives could be empty.</summary>
    [Fact]
    public void EveryOperationIsChecked()
    {
        using var reference = SelfTestReference.Open(Device.Cpu);
        string[] operations =
        [
            "linear", "conv1d", "matmul", "batched_matmul", "layer_norm", "gelu_tanh", "softmax", "causal_attention",
            "embedding", "cross_entropy", "add", "mul", "sum", "mean", "cat", "index_select",
        ];
        Assert.Equal(
            operations.Select(name => $"{name} f32").Concat(operations.Select(name => $"{name} bf16"))
                .Concat(["adamw f32", "adamw_without_decay f32", "clip f32", "clip_below f32"]).Order(StringComparer.Ordinal),
            OperationChecks.Run(reference, Device.Cpu).Select(check => $"{check.Name} {check.Precision}")
                .Order(StringComparer.Ordinal));
    }

    /// <summary>The self-test allows for what other devices round; here there is less to allow.</summary>
    [Fact]
    public void InSinglePrecisionNothingButRoundingDeviates()
    {
        using var reference = SelfTestReference.Open(Device.Cpu);
        SelfTestCheck[] models =
        [
            .. ModelChecks.Run(reference, Device.Cpu).Where(check => !check.Name.StartsWith("training", StringComparison.Ordinal)),
        ];
        Assert.Equal(
            ["gpt2: logits", "gpt2: loss", "gpt2: gradients", "bert: logits", "bert: loss", "bert: gradients"],
            models[..6].Select(check => check.Name));
        Assert.All(
            OperationChecks.Run(reference, Device.Cpu).Concat(models).Where(check => check.Precision == "f32"),
            check => Assert.True(check.Deviation <= 3e-6, $"{check.Name} is {check.Deviation:E1} off"));
    }

    [Theory]
    [InlineData(new[] { 1.0, -4 }, new[] { 1.0, -4 }, 0)]
    [InlineData(new[] { 1.0, -4 }, new[] { 1.5, -4 }, 0.125)]
    [InlineData(new[] { 0.0 }, new[] { 1e-4 }, 0.1)]
    public void DeviationsAreSharesOfTheLargestValue(double[] expected, double[] actual, double share) =>
        Assert.Equal(share, SelfTestCheck.Deviates(expected, actual), 12);

    [Fact]
    public void WhatIsNoNumberNeverPasses()
    {
        Assert.False(new SelfTestCheck("", "", SelfTestCheck.Deviates([1, 2], [double.NaN, 2]), 1e9).Passed);
        Assert.False(new SelfTestCheck("", "", SelfTestCheck.Deviates([1, 2], [1]), 1e9).Passed);
        Assert.False(new SelfTestCheck("", "", SelfTestCheck.Deviates([1], [double.PositiveInfinity]), 1e9).Passed);
        using Tensor row = Tensor.Zeros([1, 4]), square = Tensor.Zeros([2, 2]);
        Assert.False(new SelfTestCheck("", "", SelfTestCheck.LargestDeviation([(row, row), (row, square)]), 1e9).Passed);
    }
}
