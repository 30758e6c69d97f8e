using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Reporting;
using Espalier.Training;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>What a plan from logged curves is to go by.</summary>
public sealed record CurvePlanOptions
{
    /// <summary>
    /// The curves: run folders of the method scratch, `TABLE.csv@n_layer=6,n_embd=768` or `TABLE.csv@flops=1.2e15`, the smallest
    /// model first.
    /// </summary>
    public required IReadOnlyList<string> Curves { get; init; }

    /// <summary>What grows, where sizes do not tell; null where they do.</summary>
    public GrowthKind? Kind { get; init; }

    /// <summary>Grow where the curve is flatter than this; null for the published threshold of what grows.</summary>
    public double? Threshold { get; init; }

    /// <summary>The large model stops where its curve is flatter than this, unless a loss or a budget says where.</summary>
    public double StopThreshold { get; init; } = GrowthRule.StopSlope;

    /// <summary>The loss to end at; null for where the large model's curve becomes too flat.</summary>
    public double? Loss { get; init; }

    /// <summary>The FLOPs of training the large model from scratch; null likewise.</summary>
    public double? Budget { get; init; }

    /// <summary>The column of a table that holds the loss; null for the usual ones.</summary>
    public string? Column { get; init; }

    /// <summary>A recipe for the final model, to be written with the growth that is proposed; null for the last run's own.</summary>
    public Recipe? Recipe { get; init; }
}

/// <summary>Plans growth from curves that were logged of models of fixed sizes (Staged Training, arXiv 2203.06211).</summary>
public static class CurvePlan
{
    /// <summary>Makes the plan.</summary>
    /// <param name="options">What to go by.</param>
    /// <exception cref="UserErrorException">
    /// A curve cannot be read, sizes contradict, or curves do not reach where they must; the message names it.
    /// </exception>
    public static PlanReport Make(CurvePlanOptions options)
    {
        LoggedModel[] models = [.. options.Curves.Select(text => LoggedModel.Read(text, options.Column))];
        if (models.Length == 0)
        {
            throw new UserErrorException(
                "There are no curves to plan from.", "Name some: --curve small.csv@n_layer=6,n_embd=768 --curve large.csv@n_layer=12,n_embd=768.");
        }

        if (models.Select(model => model.CountsFlops).Distinct().Count() > 1)
        {
            throw new UserErrorException(
                "Some curves tell their FLOPs and others only the sizes of their models: they have no common measure.",
                "Give every table @flops=..., or every one its sizes.");
        }

        return models.Length == 1 ? OfOne(models[0], options) : OfLadder(models, options);
    }

    /// <summary>One curve tells when to grow; what its growth is worth only the larger model's curve can tell.</summary>
    private static PlanReport OfOne(LoggedModel model, CurvePlanOptions options)
    {
        GrowthKind kind = options.Kind ?? throw new UserErrorException(
            $"One curve, '{model.Curve.Name}', does not tell what is to grow.", "Say --grow depth, width or both, or name the larger model's curve.");
        var rule = GrowthRule.Of(kind);
        CurvePoint leave = CurveHop.Flat(model.Curve, options.Threshold ?? rule.Slope, "--threshold");
        double enter = leave.Step / rule.Ratio;
        return new PlanReport(
            "Ceiling: unknown. It takes the curve of the larger model, or a scaling law (--law).",
            [
                new TextTable(
                    $"Growing {model.Curve.Name}, by the published ratio for {Word(kind)}",
                    ["", "slope", "grow at step", "loss", "go on at step", "ratio"],
                    [[model.Curve.Name, Slope(options.Threshold ?? rule.Slope), Whole(leave.Step), Figures.Loss(leave.Loss), Whole(enter), Ratio(rule.Ratio)]]),
            ],
            Notes(model),
            new JsonObject
            {
                ["ceiling"] = null,
                ["growths"] = new JsonArray(new JsonObject
                {
                    ["model"] = model.Curve.Name, ["grows"] = Word(kind), ["slope"] = options.Threshold ?? rule.Slope,
                    ["grow_at_step"] = leave.Step, ["loss"] = leave.Loss, ["go_on_at_step"] = enter, ["ratio"] = rule.Ratio,
                }),
            },
            Chart([model], [leave], null), null);
    }

    private static PlanReport OfLadder(LoggedModel[] models, CurvePlanOptions options)
    {
        GrowthKind[] kinds = [.. models.Zip(models.Skip(1), (small, large) => KindOf(small, large, options.Kind))];
        LoggedModel last = models[^1];
        CurvePoint stop = Stop(last, options);
        CurveHop[] hops = [.. kinds.Select((kind, i) => CurveHop.Of(
            models[i].Curve, models[i + 1].Curve, options.Threshold ?? GrowthRule.Of(kind).Slope, stop))];
        for (int i = 1; i < hops.Length; i++)
        {
            if (hops[i].Leave.Step <= hops[i - 1].Enter.Step)
            {
                throw new UserErrorException(
                    Invariant($"{models[i].Curve.Name} would grow at step {hops[i].Leave.Step:F0}, before the growth into it lets it begin at step {hops[i - 1].Enter.Step:F0}."),
                    "Leave its curve out.");
            }
        }

        double saving = hops.Sum(hop => hop.Saving);
        var ladder = models.Select(model => new Rung(model.Curve.Name, model.Curve.CostOf)).ToArray();
        double highest = models.Max(model => Enumerable.Range(0, model.Curve.Points.Count).Max(model.Curve.Smoothed));
        double target = options.Loss ?? last.Curve.LossAt(stop.Cost);
        var one = Ceiling.Of(ladder, highest, target, 1);
        var all = Ceiling.Of(ladder, highest, target, models.Length - 1);
        return new PlanReport(
            Sentence(last, target, one, all),
            [
                new TextTable(
                    "Growth by the thresholds",
                    ["growth", "grows", "slope", "S1: grow at step", "loss", "S_target: go on at step", "ratio", "S_opt", "saved", "of the ceiling"],
                    [
                        .. hops.Select((hop, i) => new[]
                        {
                            $"{models[i].Curve.Name} -> {models[i + 1].Curve.Name}", Word(kinds[i]),
                            Slope(options.Threshold ?? GrowthRule.Of(kinds[i]).Slope), Whole(hop.Leave.Step), Figures.Loss(hop.Leave.Loss),
                            Whole(hop.Enter.Step), Ratio(hop.Ratio), Whole(stop.Step), Figures.Percent(hop.Saving),
                            Figures.Percent(hop.Saving / all.Saving),
                        }),
                        .. hops.Length == 1 ? Array.Empty<string[]>() :
                        [
                            [.. new[] { "together" }, .. Enumerable.Repeat("", 7), Figures.Percent(saving), Figures.Percent(saving / all.Saving)],
                        ],
                    ]),
                CeilingTable(all, last.CountsFlops),
            ],
            Notes(models[^1]),
            Json(models, kinds, hops, one, all, saving, target),
            Chart(models, [.. hops.Select(hop => hop.Leave)], hops[^1].Enter),
            RecipeOf(models, kinds, hops, options.Recipe ?? last.Recipe, saving));
    }

    private static GrowthKind KindOf(LoggedModel small, LoggedModel large, GrowthKind? said)
    {
        if (small.Sizes is null || large.Sizes is null)
        {
            return said ?? throw new UserErrorException(
                $"The curves do not tell what grows from {small.Curve.Name} to {large.Curve.Name}.", "Say --grow depth, width or both.");
        }

        GrowthKind kind = small.Sizes.GrowthTo(large.Sizes);
        return said is null || said == kind ? kind : throw new UserErrorException(
            $"--grow {Word(said.Value)} contradicts the sizes: from {small.Sizes} to {large.Sizes}, {(kind == GrowthKind.Both ? "both grow" : $"the {Word(kind)} grows")}.",
            "Leave --grow out.");
    }

    private static CurvePoint Stop(LoggedModel last, CurvePlanOptions options)
    {
        TrainingCurve curve = last.Curve;
        if (options is { Loss: not null, Budget: not null })
        {
            throw new UserErrorException("--loss and --budget both say where the large model ends.", "Give one of them.");
        }

        if (options.Budget is double budget)
        {
            if (!last.CountsFlops)
            {
                throw new UserErrorException(
                    "--budget is in FLOPs, and the curves do not tell theirs.", "Give each table @flops=..., the FLOPs of a step.");
            }

            CurvePoint[] within = [.. curve.Points.Where(point => point.Cost <= budget)];
            return within.Length > 1 ? within[^1] : throw new UserErrorException(
                $"--budget {Figures.Flops(budget)} is too small: {curve.Name} has its second loss after {Figures.Flops(curve.Points[1].Cost)} FLOPs.",
                $"Give up to {Figures.Flops(curve.Points[^1].Cost)}.");
        }

        if (options.Loss is double loss)
        {
            double cost = curve.CostOf(loss);
            return curve.Points.FirstOrDefault(point => point.Cost >= cost) is { Step: > 0 } reached ? reached : throw new UserErrorException(
                Invariant($"--loss {loss}: {curve.Name} only gets down to {Enumerable.Range(0, curve.Points.Count).Min(curve.Smoothed):F3}."),
                "Name a loss that it reaches.");
        }

        return CurveHop.Flat(curve, options.StopThreshold, "--stop");
    }

    private static string Sentence(LoggedModel last, double target, Ceiling one, Ceiling all)
    {
        string hop = one.LastHop is double at
            ? $"one growth can save at most {Figures.Percent(one.Saving)}, from {one.Stages[0].Name} at loss {Figures.Loss(at)}"
            : "no single growth can save anything";
        string more = all.Stages.Count > 2
            ? $"; {all.Stages.Count - 1} growths at most {Figures.Percent(all.Saving)}"
            : "";
        return $"Ceiling: of training {last.Curve.Name} from scratch to loss {Figures.Loss(target)}, {hop}{more}.";
    }

    internal static TextTable CeilingTable(Ceiling ceiling, bool countsFlops) => new(
        "The ceiling: an ideal operator would make of each model the next one's state at the same loss, at once",
        ["model", "until loss", countsFlops ? "FLOPs" : "share of scratch"],
        [
            .. ceiling.Stages.Select(stage => new[]
            {
                stage.Name, Figures.Loss(stage.Until), countsFlops ? Figures.Flops(stage.Cost) : Figures.Percent(stage.Cost / ceiling.Scratch),
            }),
        ]);

    private static string[] Notes(LoggedModel last) =>
    [
        $"Read: the {last.Loss} loss, spikes of more than 1 % left out. Slope: d log10(loss) / d log10(cost) of a running mean over 5 points, "
            + "from the steepest point on (arXiv 2203.06211).",
        "Saved: (C_large(S_target) - C_small(S1)) / C_large(S_opt). " + (last.CountsFlops
            ? "C: FLOPs as logged or given."
            : "C: 6 N per token with N = L (4 C^2 + 2 C F), the matrices of the layers; attention and head are left out."),
        "The ceiling is the most of [C_large(l) - C_small(l)] / C_large(final) over all losses l; it holds for curves of runs whose "
            + "learning rates were tuned and had not decayed.",
    ];

    private static JsonObject Json(
        LoggedModel[] models, GrowthKind[] kinds, CurveHop[] hops, Ceiling one, Ceiling all, double saving, double target) => new()
        {
            ["ceiling"] = new JsonObject
            {
                ["loss"] = target, ["one_growth"] = one.Saving, ["one_growth_at_loss"] = one.LastHop, ["all_growths"] = all.Saving,
                ["stages"] = new JsonArray([.. all.Stages.Select(stage => new JsonObject
            {
                ["model"] = stage.Name, ["until_loss"] = stage.Until, ["share_of_scratch"] = stage.Cost / all.Scratch,
            })]),
            },
            ["saving"] = saving,
            ["growths"] = new JsonArray([.. hops.Select((hop, i) => new JsonObject
        {
            ["from"] = models[i].Curve.Name, ["to"] = models[i + 1].Curve.Name, ["grows"] = Word(kinds[i]),
            ["grow_at_step"] = hop.Leave.Step, ["loss"] = hop.Leave.Loss, ["go_on_at_step"] = hop.Enter.Step, ["ratio"] = hop.Ratio,
            ["stop_at_step"] = hop.Stop.Step, ["saving"] = hop.Saving,
        })]),
        };

    private static SvgChart Chart(LoggedModel[] models, CurvePoint[] leaves, CurvePoint? enter)
    {
        double longest = models.Max(model => model.Curve.Points[^1].Cost), lowest = models.Min(model => model.Curve.Points.Min(p => p.Loss));
        double highest = 1.35 * lowest;
        ChartAxis cost = models[0].CountsFlops
            ? ChartAxis.PowerOfTen("FLOPs", longest)
            : new ChartAxis { Label = "Cost, as a share of the longest curve's", Unit = longest };
        return new SvgChart
        {
            Title = "Loss over cost, and where to grow",
            X = cost with { Minimum = 0 },
            Y = new ChartAxis { Label = "Nats per token", Minimum = lowest - (0.05 * lowest), Maximum = Math.Max(highest, leaves.Max(p => p.Loss) * 1.05) },
            Target = enter?.Loss,
            TargetText = enter is CurvePoint point ? $"grow at loss {Figures.Loss(point.Loss)}" : "",
            Series =
            [
                .. models.Select((model, i) => new ChartSeries
                {
                    Name = model.Curve.Name,
                    Color = i,
                    Points = [.. model.Curve.Points.Select((p, at) => new ChartPoint(p.Cost, model.Curve.Smoothed(at)))],
                    Raw = [.. model.Curve.Points.Select(p => new ChartPoint(p.Cost, p.Loss))],
                    Events = i < leaves.Length ? [new ChartEvent(leaves[i].Cost, Invariant($"step {leaves[i].Step:F0}"))] : [],
                    Marker = i == models.Length - 1 && enter is CurvePoint entered ? new ChartPoint(entered.Cost, entered.Loss) : null,
                }),
            ],
        };
    }

    private static string? RecipeOf(LoggedModel[] models, GrowthKind[] kinds, CurveHop[] hops, Recipe? template, double saving)
    {
        if (template is null || models.Any(model => model.Sizes is null))
        {
            return null;
        }

        LayerSizes[] sizes = [.. models.Select(model => model.Sizes!)];
        if (LayerSizes.Of(template.Model) != sizes[^1])
        {
            throw new UserErrorException(
                $"The sizes contradict: the recipe {template.Name} trains {LayerSizes.Of(template.Model)}, the largest curve is of {sizes[^1]}.",
                "Name the recipe of that model.");
        }

        // Each stage after the first begins at its own curve's S_target.
        long[] boundaries = new long[hops.Length];
        double step = 0;
        for (int i = 0; i < hops.Length; i++)
        {
            step += hops[i].Leave.Step - (i == 0 ? 0 : hops[i - 1].Enter.Step);
            boundaries[i] = (long)Math.Round(step);
        }

        long length = (long)Math.Round(step + hops[^1].Stop.Step - hops[^1].Enter.Step);
        double ratio = Math.Exp(hops.Average(hop => Math.Log(hop.Ratio)));
        return StagedRecipe.Write(
            template, sizes, boundaries, length, ratio,
            $"Planned from curves: growing {string.Join(", then ", kinds.Select(Word))} should save {Figures.Percent(saving)} (arXiv 2203.06211).");
    }

    internal static string Word(GrowthKind kind) => kind switch
    {
        GrowthKind.Depth => "depth",
        GrowthKind.Width => "width",
        _ => "depth and width",
    };

    internal static string Whole(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    internal static string Ratio(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private static string Slope(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
