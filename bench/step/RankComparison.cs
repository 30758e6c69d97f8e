namespace Espalier.Bench.Step;

/// <summary>Ranks of one thread each against one process of as many threads, in turn: the same micro-batches an update, one for each rank.</summary>
internal static class RankComparison
{
    private const int WarmUpSteps = 2;

    public static IEnumerable<RankResult> Measure(StepOptions options, int ranks)
    {
        foreach (StepSetting setting in options.Settings)
        {
            Progress.Say($"{setting} {options.Precision}: warming up");
            using var alone = new EspalierStep(setting, options.Device, options.MixedPrecision);
            using var together = new RankSide(ranks, setting, options);
            alone.Run(WarmUpSteps, microBatches: ranks);
            together.Run(WarmUpSteps);
            int steps = options.StepsInTurn(alone.Run(WarmUpSteps, microBatches: ranks).Seconds);
            List<StepTime> one = [], several = [];
            for (int round = 1; round <= options.Rounds; round++)
            {
                one.Add(alone.Run(steps, microBatches: ranks));
                several.Add(together.Run(steps));
                Progress.Say($"{setting} {options.Precision}: round {round} of {options.Rounds}, {steps} steps a turn");
            }

            yield return new RankResult(setting, options.Precision, ranks, options.ShardsOptimizer, steps, one, several);
        }
    }
}

/// <summary>A setting on ranks.</summary>
internal sealed record RankResult(
    StepSetting Setting, string Precision, int Ranks, bool ShardsOptimizer, int StepsPerTurn, IReadOnlyList<StepTime> One, IReadOnlyList<StepTime> Several) : IResult
{
    /// <summary>Tokens a second of the ranks, of those of one process.</summary>
    public Spread Ratio => Spread.OfRatios([.. One.Select(turn => turn.Seconds)], [.. Several.Select(turn => turn.Seconds)]);

    /// <summary>The share of the communication during which ranks computed; of each turn that of the rank that hid least.</summary>
    public double Hidden => Statistics.Median(Several.Select(turn => turn.Communication.Hidden));

    public string ToMarkdown()
    {
        FormattableString text =
            $"""
            ## {Ranks} ranks{(ShardsOptimizer ? ", optimizer dealt out" : "")}: {Setting}, {Precision}, {Ranks} micro-batches an update

            | | ms/step | tokens/s |
            |---|--:|--:|
            {Row($"1 process of {Ranks} threads", One)}
            {Row($"{Ranks} ranks of 1 thread", Several)}

            **Ranks / one process: {Ratio}** tokens a second, the median of the ratios of {One.Count} pairs of turns of {StepsPerTurn} steps (least to most).
            Communication was under way for {Median(turn => turn.Communication.Seconds) * 1e3:F1} ms an update, of which {Hidden:P0} were hidden: the rank computed meanwhile.

            """;
        return FormattableString.Invariant(text);
    }

    private double Median(Func<StepTime, double> of) => Statistics.Median(Several.Select(of));

    private string Row(string name, IReadOnlyList<StepTime> turns)
    {
        double seconds = Statistics.Median(turns.Select(turn => turn.Seconds));
        return FormattableString.Invariant($"| {name} | {seconds * 1e3:F1} | {Ranks * Setting.TokensPerStep / seconds:F0} |");
    }
}
