using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>Resident memory while a model that stores a quarter of its layers trains at changing depths.</summary>
internal static class Memory
{
    private const int Steps = 1000, Interval = 100;

    public static IEnumerable<MemoryResult> Measure(StepOptions options)
    {
        foreach (StepSetting setting in options.Settings)
        {
            int stored = Math.Max(1, setting.Layers / 4);
            using var step = new EspalierStep(setting, options.Device, options.MixedPrecision, stored);
            var samples = new List<MemorySample>();
            for (int done = 1; done <= Steps; done++)
            {
                int depth = stored + (done % (setting.Layers - stored + 1));
                step.Run(1, ForwardPlan.Of(LayerMap.Interpolate(stored, depth)));
                if (done % Interval == 0)
                {
                    // What the garbage collector has not yet looked at is no growth.
                    GC.Collect();
                    samples.Add(new MemorySample(done, ResidentBytes(), Tensor.LiveCount));
                    Progress.Say($"{setting} {options.Precision}: step {done} of {Steps}");
                }
            }

            yield return new MemoryResult(setting, options.Precision, stored, samples);
        }
    }

    private static long ResidentBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture)
        * Environment.SystemPageSize;
}

internal sealed record MemorySample(int Step, long ResidentBytes, long LiveTensors);

internal sealed record MemoryResult(
    StepSetting Setting, string Precision, int Stored, IReadOnlyList<MemorySample> Samples) : IResult
{
    private const double Tolerance = 0.02;

    // The intervals before this sample warm up: kernels are made, the allocator and the collector find their size.
    private const int WarmUp = 1;

    public double Growth => ((double)Samples[^1].ResidentBytes / Samples[WarmUp].ResidentBytes) - 1;

    public bool Grows => Growth > Tolerance || Samples.Any(sample => sample.LiveTensors != Samples[0].LiveTensors);

    public string ToMarkdown()
    {
        var rows = Samples.Select(sample => FormattableString.Invariant(
            $"| {sample.Step} | {sample.ResidentBytes / 1048576.0:F1} | {sample.LiveTensors} |"));
        FormattableString text =
            $"""
            ## Memory: {Setting}, {Precision}, {Stored} stored layers at depths {Stored} to {Setting.Layers}

            | step | resident MiB | live tensors |
            |--:|--:|--:|
            {string.Join('\n', rows)}

            **{(Grows ? "Memory GROWS" : "No growth")}**: {Growth:+0.0 %;-0.0 %;0.0 %} from step {Samples[WarmUp].Step} to {Samples[^1].Step} (allowed {Tolerance:P0}; managed garbage is collected before each look), live tensors {Samples[0].LiveTensors} to {Samples[^1].LiveTensors}.

            """;
        return FormattableString.Invariant(text);
    }
}
