using System.Text.Json.Nodes;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>Espalier and PyTorch in turn, so that whatever slows the machine slows both.</summary>
internal static class Comparison
{
    private const int WarmUpSteps = 3;

    public static IEnumerable<ComparisonResult> Measure(StepOptions options)
    {
        Progress.Say("matrix products");
        MatMulRate rate = MatMulRate.Measure(options.Device);
        foreach (StepSetting setting in options.Settings)
        {
            Progress.Say($"{setting} {options.Precision}: warming up");
            using var espalier = new EspalierStep(setting, options.Device, options.MixedPrecision);
            using PyTorchStep? pyTorch = !setting.IsLlama && options.Python is string python ? new(python, setting, options) : null;
            espalier.Run(WarmUpSteps);
            pyTorch?.Run(WarmUpSteps);
            int steps = options.StepsInTurn(espalier.Run(WarmUpSteps).Seconds);

            var ours = new List<StepTime>();
            var theirs = new List<StepTime>();
            for (int round = 1; round <= options.Rounds; round++)
            {
                ours.Add(espalier.Run(steps));
                if (pyTorch is not null)
                {
                    theirs.Add(pyTorch.Run(steps));
                }

                Progress.Say($"{setting} {options.Precision}: round {round} of {options.Rounds}, {steps} steps a turn");
            }

            yield return new ComparisonResult(
                setting, options.Precision, steps, rate, Side(setting, ours), pyTorch is null ? null : Side(setting, theirs),
                pyTorch?.Description);
        }
    }

    private static SideResult Side(StepSetting setting, IReadOnlyList<StepTime> turns)
    {
        double median = Statistics.Median(turns.Select(turn => turn.Seconds));
        return new SideResult(
            median, setting.TokensPerStep / median, setting.FlopsPerStep.Total / median / 1e9, turns[^1].Loss,
            [.. turns.Select(turn => turn.Seconds)]);
    }
}

/// <summary>One side of a comparison.</summary>
/// <param name="SecondsPerStep">The median of the rounds.</param>
/// <param name="TokensPerSecond">At that time.</param>
/// <param name="Gflops">At that time, in 1e9 floating-point operations a second.</param>
/// <param name="Loss">After the last step.</param>
/// <param name="Rounds">Seconds a step of every round.</param>
internal sealed record SideResult(
    double SecondsPerStep, double TokensPerSecond, double Gflops, double Loss, IReadOnlyList<double> Rounds);

/// <summary>A setting's comparison.</summary>
internal sealed record ComparisonResult(
    StepSetting Setting, string Precision, int StepsPerTurn, MatMulRate MatMul, SideResult Espalier, SideResult? PyTorch,
    JsonNode? PyTorchDescription) : IResult
{
    /// <summary>How many times as fast Espalier is.</summary>
    public Spread? Ratio => PyTorch is null ? null : Spread.OfRatios(PyTorch.Rounds, Espalier.Rounds);

    public string ToMarkdown()
    {
        FormattableString head =
            $"""
            ## {Setting}, {Precision}

            | | ms/step | tokens/s | GFLOP/s | of the bf16 matmul rate | of the f32 matmul rate | loss |
            |---|--:|--:|--:|--:|--:|--:|
            {Row("Espalier", Espalier)}
            """;
        return FormattableString.Invariant(head) + "\n" + Outcome();
    }

    private string Row(string name, SideResult side) => FormattableString.Invariant(
        $"| {name} | {side.SecondsPerStep * 1e3:F1} | {side.TokensPerSecond:F0} | {side.Gflops:F0} | {side.Gflops / MatMul.Bf16Gflops:P0} | {side.Gflops / MatMul.F32Gflops:P0} | {side.Loss:F3} |");

    private string Outcome() => PyTorch is null
        ? "\nEspalier alone was measured.\n"
        : Row("PyTorch " + PyTorchDescription!["torch"], PyTorch) + "\n" + FormattableString.Invariant(
            $"""

            **Espalier / PyTorch: {Ratio}**, the median of the ratios of {Espalier.Rounds.Count} pairs of turns of {StepsPerTurn} steps (least to most). Matrix products of {MatMul.Size} x {MatMul.Size}: bf16 {MatMul.Bf16Gflops:F0}, f32 {MatMul.F32Gflops:F0} GFLOP/s.

            """);
}
