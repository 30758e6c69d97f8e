using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Reporting;

namespace Espalier.Planning;

/// <summary>The stages of a schedule on many ranks: a table, and the same for programs.</summary>
internal static class RankTable
{
    /// <summary>The share of a rank's memory that is counted on; the rest is for what formulas leave out.</summary>
    public const double Used = 0.8;

    /// <summary>Lays stages out.</summary>
    /// <param name="stages">Their parameters and shapes; a shape of 0 layers follows from the parameters.</param>
    /// <param name="memory">The bytes of a rank.</param>
    /// <param name="sequence">The tokens of a sequence.</param>
    /// <exception cref="UserErrorException">A stage fits on no number of such ranks.</exception>
    public static (TextTable Table, JsonArray Json) Of(
        IReadOnlyList<(double Parameters, int Layers, int Hidden)> stages, double memory, int sequence)
    {
        RankLayout[] layouts =
        [
            .. stages.Select(stage => (stage.Layers == 0
                ? RankLayout.OfSize(stage.Parameters, memory * Used, sequence)
                : RankLayout.Of(stage.Parameters, stage.Layers, stage.Hidden, memory * Used, sequence))
                ?? throw new UserErrorException(
                    $"A model of {Quantities.Count(stage.Parameters)} parameters fits on no number of ranks of {Quantities.Bytes(memory)}: a single layer is too large.",
                    "Give ranks more memory with --rank-memory, or shorter sequences with --sequence.")),
        ];
        long most = layouts[^1].Ranks;
        return (
            new TextTable(
                $"On ranks of {Quantities.Bytes(memory)}, {Figures.Percent(Used)} of it used, sequences of {sequence}",
                ["stage", "parameters", "layers x width", "split t", "least ranks R", "a rank holds", "copies on the last stage's ranks"],
                [
                    .. layouts.Select((layout, i) => new[]
                    {
                        (i + 1).ToString(CultureInfo.InvariantCulture), Quantities.Count(layout.Parameters),
                        string.Create(CultureInfo.InvariantCulture, $"{layout.Layers} x {layout.Hidden}"),
                        layout.Split.ToString(CultureInfo.InvariantCulture), layout.Ranks.ToString("N0", CultureInfo.InvariantCulture),
                        Quantities.Bytes(layout.BytesPerRank),
                        Math.Max(1, most / layout.Ranks).ToString("N0", CultureInfo.InvariantCulture),
                    }),
                ]),
            new JsonArray([.. layouts.Select(layout => new JsonObject
            {
                ["parameters"] = layout.Parameters, ["layers"] = layout.Layers, ["hidden"] = layout.Hidden, ["split"] = layout.Split,
                ["ranks"] = layout.Ranks, ["bytes_per_rank"] = layout.BytesPerRank,
            })]));
    }
}
