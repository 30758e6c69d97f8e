using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Bench.Step;

/// <summary>
/// The wall time of an executed layer: in a model that stores few layers and runs them often, as Apollo does, and in a
/// model from scratch that stores as many as it runs.
/// </summary>
internal static class PerLayer
{
    private static readonly int[] Stored = [3, 6];

    public static IEnumerable<PerLayerResult> Measure(StepOptions options)
    {
        foreach (StepSetting setting in options.Settings)
        {
            foreach (int stored in Stored.Where(stored => stored < setting.Layers))
            {
                yield return Measure(setting, stored, options);
            }
        }
    }

    private static PerLayerResult Measure(StepSetting setting, int stored, StepOptions options)
    {
        int[] depths = [.. Enumerable.Range(0, 4).Select(i => stored + (i * (setting.Layers - stored) / 3)).Distinct()];
        using var apollo = new EspalierStep(setting, options.Device, options.MixedPrecision, stored);
        var rows = new List<DepthTimes>();
        foreach (int depth in depths)
        {
            rows.Add(new DepthTimes(depth, [], []));
        }

        var scratch = depths.ToDictionary(
            depth => depth, depth => new EspalierStep(setting, options.Device, options.MixedPrecision, depth));
        try
        {
            var plans = depths.ToDictionary(depth => depth, depth => ForwardPlan.Of(LayerMap.Interpolate(stored, depth)));
            for (int round = 0; round <= options.Rounds; round++)
            {
                foreach (DepthTimes row in rows)
                {
                    // The first step after another model's or another depth's finds cold caches: it does not count.
                    EspalierStep full = scratch[row.Depth];
                    full.Run(1);
                    int steps = options.StepsInTurn(full.Run(1).Seconds);
                    double fullSeconds = full.Run(steps).Seconds;
                    apollo.Run(2, plans[row.Depth]);
                    double apolloSeconds = apollo.Run(steps, plans[row.Depth]).Seconds;
                    if (round > 0)
                    {
                        row.Scratch.Add(fullSeconds);
                        row.Apollo.Add(apolloSeconds);
                    }
                }

                Progress.Say($"{setting} {options.Precision}, {stored} stored: round {round} of {options.Rounds}");
            }
        }
        finally
        {
            foreach (EspalierStep step in scratch.Values)
            {
                step.Dispose();
            }
        }

        return new PerLayerResult(setting, options.Precision, stored, rows);
    }
}

/// <summary>The seconds a step of either side at a depth, round by round.</summary>
internal sealed record DepthTimes(int Depth, List<double> Apollo, List<double> Scratch);

/// <summary>Steps at several depths, and the straight lines through them: a step = a + b x depth.</summary>
internal sealed record PerLayerResult(StepSetting Setting, string Precision, int Stored, IReadOnlyList<DepthTimes> Depths)
    : IResult
{
    private const double Tolerance = 1.03;

    public double ApolloSecondsPerLayer => Fit(depth => depth.Apollo).Slope;

    public double ScratchSecondsPerLayer => Fit(depth => depth.Scratch).Slope;

    public double Ratio => ApolloSecondsPerLayer / ScratchSecondsPerLayer;

    public string ToMarkdown()
    {
        var rows = Depths.Select(depth => FormattableString.Invariant(
            $"| {depth.Depth} | {Statistics.Median(depth.Apollo) * 1e3:F1} | {Statistics.Median(depth.Scratch) * 1e3:F1} | {Spread.OfRatios(depth.Apollo, depth.Scratch)} |"));
        FormattableString text =
            $"""
            ## Time per executed layer: {Setting}, {Precision}, {Stored} stored layers

            | executed layers | Apollo, {Stored} stored: ms/step | scratch, all stored: ms/step | Apollo / scratch |
            |--:|--:|--:|--:|
            {string.Join('\n', rows)}

            A step = a + b x depth: Apollo a {Fit(depth => depth.Apollo).Intercept * 1e3:F1} ms, b {ApolloSecondsPerLayer * 1e3:F2} ms; scratch a {Fit(depth => depth.Scratch).Intercept * 1e3:F1} ms, b {ScratchSecondsPerLayer * 1e3:F2} ms.
            **An executed layer of Apollo takes {Ratio:F3} of one of scratch: {(Ratio <= Tolerance ? "within" : "NOT within")} the aim of at most {Tolerance:F2}.** (It has fewer weights to update, so less than 1 is no mistake.)

            """;
        return FormattableString.Invariant(text);
    }

    private (double Intercept, double Slope) Fit(Func<DepthTimes, List<double>> side) =>
        Statistics.FitLine([.. Depths.Select(depth => ((double)depth.Depth, Statistics.Median(side(depth))))]);
}
