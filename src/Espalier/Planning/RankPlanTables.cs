using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Reporting;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>The stages of a recipe on several ranks: tables, and the same for programs.</summary>
/// <param name="stages">The stages.</param>
/// <param name="ranks">N.</param>
/// <param name="memory">The bytes of a rank; null where nobody says.</param>
/// <param name="keepsAttention">Whether attention keeps its weights for the backward pass.</param>
internal sealed class RankPlanTables(IReadOnlyList<RankPlan> stages, int ranks, double? memory, bool keepsAttention)
{
    private readonly RankPlan _first = stages[0];

    private bool IsTimed => _first.Speed is not null;

    /// <summary>Memory, the time of an update, and with a speed that of the whole run.</summary>
    public IEnumerable<TextTable> Tables => IsTimed ? [Memory, Updates, Run] : [Memory, Updates];

    /// <summary>The same for programs.</summary>
    public JsonObject Json => new()
    {
        ["ranks"] = ranks,
        ["micro_batches_per_rank"] = _first.MicroBatches / ranks,
        ["network"] = new JsonObject
        {
            ["name"] = _first.Network.Name, ["bytes_per_second"] = _first.Network.BytesPerSecond, ["latency"] = _first.Network.Latency,
        },
        ["stages"] = new JsonArray([.. stages.Select(stage => new JsonObject
        {
            ["bytes"] = Holds(stage), ["bytes_dealt"] = Holds(stage, dealt: true),
            ["bytes_dealt_recomputed"] = Holds(stage, dealt: true, recomputed: true),
            ["sent_bytes"] = stage.SentBytes(ranks), ["sending_seconds"] = stage.SendingSeconds(ranks),
            ["computing_seconds"] = stage.ComputingSeconds(ranks), ["efficiency"] = stage.Efficiency(ranks),
            ["efficiency_overlapped"] = stage.Efficiency(ranks, overlapped: true), ["useful_ranks"] = Useful(stage), ["useful_ranks_overlapped"] = Useful(stage, overlapped: true),
        })]),
        ["run"] = IsTimed
            ? new JsonArray([.. Halves().Select(count => new JsonObject
            {
                ["ranks"] = count, ["seconds"] = RunSeconds(count), ["seconds_overlapped"] = RunSeconds(count, overlapped: true),
            })])
            : null,
    };

    private TextTable Memory => new(
        Invariant($"Memory of each of {ranks} ranks, by formulas"),
        [
            "", "weights", "gradients", "optimizer", "its share", "activations", "recomputed", "under way", "together", "ZeRO-1", "and recomputed",
            .. memory is null ? Array.Empty<string>() : [$"fits {Quantities.Bytes(memory.Value)}"],
        ],
        Rows(stage =>
        [
            Quantities.Bytes(stage.Need.Weights), Quantities.Bytes(stage.Need.Gradients), Quantities.Bytes(stage.Need.Optimizer),
            Quantities.Bytes(stage.Need.Optimizer / ranks), Quantities.Bytes(stage.Activations(keepsAttention)),
            Quantities.Bytes(stage.Activations(keepsAttention, recomputed: true)), Quantities.Bytes(stage.UnderWay(ranks)),
            Quantities.Bytes(Holds(stage)), Quantities.Bytes(Holds(stage, dealt: true)),
            Quantities.Bytes(Holds(stage, dealt: true, recomputed: true)),
            .. memory is double most ? [Fits(stage, most * RankTable.Used)] : Array.Empty<string>(),
        ]));

    private TextTable Updates => new(
        string.Create(
            CultureInfo.InvariantCulture,
            $"An update on {ranks} ranks over {_first.Network.Name} ({_first.Network.BytesPerSecond / 1e9:0.###} GB/s, {_first.Network.Latency * 1e6:0.#} us), {_first.MicroBatches / ranks} micro-{(_first.MicroBatches == ranks ? "batch" : "batches")} each"),
        [
            "", "a rank sends", "sending",
            .. IsTimed ? ["computing", "efficiency", "overlapped", Invariant($"ranks at {RankPlan.Enough:0 %}")] : Array.Empty<string>(),
        ],
        Rows(stage =>
        [
            Quantities.Bytes(stage.SentBytes(ranks)), Time(stage.SendingSeconds(ranks)),
            .. IsTimed
                ? [
                    Time(stage.ComputingSeconds(ranks)!.Value), Figures.Percent(stage.Efficiency(ranks)),
                    Figures.Percent(stage.Efficiency(ranks, overlapped: true)), UsefulSpan(stage),
                ]
                : Array.Empty<string>(),
        ]));

    private TextTable Run => new(
        "The whole run",
        ["ranks", "time", "efficiency", "rank-hours", "overlapped", "efficiency"],
        [
            .. Halves().Select(count => new[]
            {
                Invariant($"{count}"), Figures.Duration(RunSeconds(count)), Figures.Percent(Efficiency(count, false)),
                Invariant($"{count * RunSeconds(count) / 3600:N1}"), Figures.Duration(RunSeconds(count, overlapped: true)),
                Figures.Percent(Efficiency(count, true)),
            }),
        ]);

    private int? Useful(RankPlan stage, bool overlapped = false) => stage.UsefulRanks(RecipePlanOptions.MostRanks, overlapped);

    /// <summary>With nothing hidden, and with all that can be: what runs lies between.</summary>
    private string UsefulSpan(RankPlan stage)
    {
        (int? fewest, int? most) = (Useful(stage), Useful(stage, overlapped: true));
        return fewest == most ? Invariant($"{fewest}") : Invariant($"{fewest} to {most}");
    }

    private double Holds(RankPlan stage, bool dealt = false, bool recomputed = false) =>
        stage.Bytes(ranks, keepsAttention, dealt, recomputed);

    private string Fits(RankPlan stage, double most) =>
        Holds(stage) <= most ? "as it is"
        : Holds(stage, dealt: true) <= most ? "with ZeRO-1"
        : Holds(stage, dealt: true, recomputed: true) <= most ? "and recomputed"
        : "no";

    private double? RunSeconds(int count, bool overlapped = false) =>
        stages.Sum(stage => (stage.Stage.End - stage.Stage.Begin) * stage.UpdateSeconds(count, overlapped));

    private double? Efficiency(int count, bool overlapped) => RunSeconds(1) / (count * RunSeconds(count, overlapped));

    /// <summary>One rank, and N halved as often as it can be.</summary>
    private IEnumerable<int> Halves()
    {
        List<int> counts = [ranks];
        while (counts[^1] % 2 == 0)
        {
            counts.Add(counts[^1] / 2);
        }

        return counts.Append(1).Distinct().Order();
    }

    private string[][] Rows(Func<RankPlan, string[]> columns) =>
        [.. stages.Select((stage, i) => new[] { Invariant($"stage {i + 1}") }.Concat(columns(stage)).ToArray())];

    private static string Time(double seconds) =>
        seconds < 1 ? string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.##} ms") : Figures.Duration(seconds);
}
