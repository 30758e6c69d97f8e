namespace Espalier.Bench.Tokenizers;

/// <summary>Espalier and Hugging Face in turn, so that whatever slows the machine slows both.</summary>
internal static class Comparison
{
    private const double MegaBytes = 1e6;
    private const int WarmUps = 2;

    /// <summary>Measures both, or Espalier alone.</summary>
    public static IEnumerable<ComparisonResult> Measure(
        Inputs inputs, bool alone, IEnumerable<string> vocabularies, int rounds, double turnSeconds)
    {
        foreach (string vocabulary in vocabularies)
        {
            foreach (int threads in new[] { 1, Environment.ProcessorCount }.Distinct())
            {
                using HuggingFaceSide? theirs = alone ? null : new(inputs.Folder, vocabulary, threads);
                using var ours = new EspalierSide(inputs.TokenizerFile(vocabulary), threads);
                foreach (string unit in new[] { "speeches", "sentences" })
                {
                    yield return Measure(ours, theirs, inputs.Texts(unit), vocabulary, unit, threads, rounds, turnSeconds);
                }
            }
        }
    }

    private static ComparisonResult Measure(
        EspalierSide ours, HuggingFaceSide? theirs, (string File, long Bytes, int Texts) texts,
        string vocabulary, string unit, int threads, int rounds, double turnSeconds)
    {
        string what = $"{vocabulary}, {texts.Texts} {unit}, {threads} {(threads == 1 ? "thread" : "threads")}";
        Progress.Say($"{what}: warming up");
        ours.Load(texts.File);
        theirs?.Load(texts.File);
        (IdSum ourIds, IdSum? theirIds) = (ours.Ids(), theirs?.Ids());
        double least = Math.Max(Enumerable.Range(0, WarmUps).Min(_ => ours.Run()), (theirs?.Run() ?? 0) / 1e3);

        List<double> ourSpeeds = [], theirSpeeds = [], ourFirsts = [], theirFirsts = [];
        for (int round = 1; round <= rounds; round++)
        {
            ours.Forget();
            theirs?.Forget();
            ourFirsts.Add(Speed(ours, 1));
            if (theirs is not null)
            {
                theirFirsts.Add(Speed(theirs, 1));
            }

            ourSpeeds.Add(Speed(ours, (int)Math.Max(1, turnSeconds / least)));
            if (theirs is not null)
            {
                theirSpeeds.Add(Speed(theirs, 1));
            }

            Progress.Say($"{what}: round {round} of {rounds}");
        }

        return new ComparisonResult(vocabulary, unit, texts.Texts, threads, theirs?.Versions ?? "", ourIds, theirIds,
            ourSpeeds, theirSpeeds, theirs is null ? null : Spread.OfRatios(ourFirsts, theirFirsts));

        double Speed(ISide side, int passes) =>
            passes * texts.Bytes / MegaBytes / Enumerable.Range(0, passes).Sum(_ => side.Run());
    }
}

/// <summary>
/// One vocabulary, way of cutting the text and number of threads; speeds in MB (1e6 bytes) of UTF-8 a second. Hugging Face's
/// side has no ids and no speeds where Espalier was measured alone.
/// </summary>
internal sealed record ComparisonResult(
    string Vocabulary, string Unit, int Texts, int Threads, string Versions, IdSum OurIds, IdSum? TheirIds,
    IReadOnlyList<double> OurSpeeds, IReadOnlyList<double> TheirSpeeds, Spread? FirstPass)
{
    public const string Header =
        """
        | vocabulary | texts | threads | Espalier MB/s | Hugging Face MB/s | ratio: median (least to most) | ratio of first passes | ids |
        |---|---|--:|--:|--:|--:|--:|---|
        """;

    /// <summary>Whether both sides gave the same ids.</summary>
    public bool Alike => OurIds == TheirIds;

    public string ToMarkdown() => FormattableString.Invariant(
        $"| {Vocabulary} | {Texts} {Unit} | {Threads} | {Statistics.Median(OurSpeeds):F1} | {Theirs()} |");

    private string Theirs() => TheirIds is null
        ? FormattableString.Invariant($"- | - | - | {OurIds.Tokens}")
        : FormattableString.Invariant(
            $"{Statistics.Median(TheirSpeeds):F2} | **{Spread.OfRatios(OurSpeeds, TheirSpeeds)}** | {FirstPass} | {(Alike ? FormattableString.Invariant($"{OurIds.Tokens} alike") : "DIFFER")}");
}
