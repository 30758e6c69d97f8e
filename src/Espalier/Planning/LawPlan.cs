using System.Text.Json.Nodes;
using Espalier.Reporting;
using Espalier.Training;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>What a plan by a scaling law is to go by.</summary>
public sealed record LawPlanOptions
{
    /// <summary>N: the parameters of the final model's layers; null for what suits the loss or the budget best.</summary>
    public double? Size { get; init; }

    /// <summary>The loss to end at; null for what the budget buys, or where the curve of that size becomes too flat.</summary>
    public double? Loss { get; init; }

    /// <summary>The FLOPs of training the final model from scratch; null where a loss says it.</summary>
    public double? Budget { get; init; }

    /// <summary>The most stages, from 1 to 12.</summary>
    public int Stages { get; init; } = 4;

    /// <summary>Whether each stage has the batch that suits its own loss; else all have that of the last.</summary>
    public bool BatchFollows { get; init; }

    /// <summary>Other constants than Kaplan's, `nc=8.8e13,an=0.076`; null for none.</summary>
    public string? Constants { get; init; }

    /// <summary>How often the parameters of the model that is stacked are in the final one's, for G_stack's law.</summary>
    public double StackFactor { get; init; } = 4;

    /// <summary>The bytes of a rank; null for no layout on ranks.</summary>
    public double? RankMemory { get; init; }

    /// <summary>The tokens of a sequence, for the layout.</summary>
    public int Sequence { get; init; } = 2048;

    /// <summary>A recipe of the final model, to be written with the growth that is proposed; it says size and budget.</summary>
    public Recipe? Recipe { get; init; }
}

/// <summary>Plans growth by a scaling law, without any curve (Staged Training, arXiv 2203.06211, section 4; Kaplan, arXiv 2001.08361).</summary>
public static class LawPlan
{
    private const int MostStages = 12;

    // Twice the width is four times the parameters.
    private static readonly (GrowthKind Kind, double Factor)[] Doublings = [(GrowthKind.Width, 4), (GrowthKind.Depth, 2)];

    // Larger than any model that there is, and smaller than any that the law was fitted on.
    private const double Largest = 1e15, Smallest = 1e3;

    internal const string Formula =
        "The law: L(N, S) = (Nc/N)^aN + (2 Sc/S)^aS at batches of B*/L^(1/aB) tokens, C = 6 N B S, N the parameters of the layers "
        + "(arXiv 2001.08361). It was fitted to next-token losses of GPT-2's tokens; other text has other constants (--constants).";

    /// <summary>Makes the plan.</summary>
    /// <param name="options">What to go by.</param>
    /// <exception cref="UserErrorException">A number is out of range, or the loss cannot be had; the message says what can.</exception>
    public static PlanReport Make(LawPlanOptions options)
    {
        var law = ScalingLaw.Parse(options.Constants);
        InRange(options.Size, Smallest, Largest, "--size");
        InRange(options.Loss, 1e-6, 1e6, "--loss");
        InRange(options.Budget, 1, 1e40, "--budget");
        InRange(options.Stages, 1, MostStages, "--stages");
        InRange(options.StackFactor, 1.01, 1e6, "--stack-factor");
        InRange(options.RankMemory, 1, 1e18, "--rank-memory");
        InRange(options.Sequence, 1, 1 << 24, "--sequence");
        if (options.Recipe is Recipe given)
        {
            options = OfRecipe(options, given);
        }

        (double size, double loss) = Target(law, options);
        double[] sizes = options.Recipe is null ? LawSchedule.Ladder(size) : Depths(options.Recipe);
        var one = LawSchedule.Cheapest(law, sizes, loss, Math.Min(2, options.Stages), options.BatchFollows);
        var best = LawSchedule.Cheapest(law, sizes, loss, options.Stages, options.BatchFollows);
        double stack = StackLaw.Tokens(size, best.Scratch), stackFlops = 6 * size / options.StackFactor * stack;
        List<TextTable> tables =
        [
            Doubling(law, size), Schedule(best, loss),
            new TextTable(
                "When to stack, by the fit of G_stack",
                ["model stacked", "tokens before", "FLOPs before", "share of scratch"],
                [[$"{Quantities.Count(size / options.StackFactor)} -> {Quantities.Count(size)}", Quantities.Count(stack), Figures.Flops(stackFlops), Figures.Percent(stackFlops / best.Scratch)]]),
        ];
        JsonObject json = Json(law, size, loss, one, best, stack);
        List<string> notes =
        [
            Formula,
            "The schedule is the cheapest of all whose models only grow, each going on from the loss of the one before at S_eff = 2 Sc / "
                + "(L - (Nc/N)^aN)^(1/aS). Growth is taken to lose nothing, so its saving is the ceiling. "
                + (options.BatchFollows ? "Each stage has the batch of its own last loss." : "All stages have the batch of the last loss."),
            "G_stack: log10 d = 0.88 log10 N + 163.27 / log10 C - 5.74 tokens before (arXiv 2405.15319).",
        ];
        if (options.RankMemory is double memory)
        {
            (TextTable ranks, JsonArray onRanks) = RankTable.Of([.. best.Stages.Select(stage => (stage.Size, 0, 0))], memory, options.Sequence);
            tables.Add(ranks);
            notes.Add(RankLayout.Formula);
            json["ranks"] = onRanks;
        }

        return new PlanReport(Sentence(size, loss, one, best), tables, notes, json, Chart(law, sizes, best, loss), RecipeOf(law, options.Recipe, best, sizes));
    }

    /// <summary>The ceiling of a final model and a loss in a sentence.</summary>
    private static string Sentence(double size, double loss, LawSchedule one, LawSchedule best) =>
        $"Ceiling by the scaling law: of training {Quantities.Count(size)} parameters from scratch to loss {Figures.Loss(loss)} ({Figures.Flops(best.Scratch)} FLOPs), "
        + (one.Stages.Count < 2 ? "no single growth can save anything"
            : $"one growth can save at most {Figures.Percent(one.Saving)}, from {Quantities.Count(one.Stages[0].Size)} at loss {Figures.Loss(one.Stages[0].Loss)}")
        + (best.Stages.Count > 2 ? $"; {best.Stages.Count - 1} growths at most {Figures.Percent(best.Saving)}." : ".");

    private static LawPlanOptions OfRecipe(LawPlanOptions options, Recipe recipe)
    {
        if (options is not { Size: null, Loss: null, Budget: null })
        {
            throw new UserErrorException(
                "--size, --loss and --budget say what the RECIPE says already.", "Leave them out, or leave the recipe out.");
        }

        double size = LayerSizes.Of(recipe.Model).Parameters;
        long tokens = (long)recipe.Training.MicroBatch * recipe.Training.GradientAccumulation * recipe.Model.ContextLength;
        return options with { Size = size, Budget = 6 * size * tokens * recipe.Training.Length.ToSteps(0, tokens) };
    }

    private static double[] Depths(Recipe recipe)
    {
        var sizes = LayerSizes.Of(recipe.Model);
        return [.. Enumerable.Range(1, sizes.Layers).Select(layers => (sizes with { Layers = layers }).Parameters)];
    }

    private static (double Size, double Loss) Target(ScalingLaw law, LawPlanOptions options)
    {
        if (options is { Loss: not null, Budget: not null })
        {
            throw new UserErrorException("--loss and --budget both say where the final model ends.", "Give one of them; --size goes with either.");
        }

        if (options.Size is double size)
        {
            double loss = options.Loss ?? (options.Budget is double budget
                ? law.LossForBudget(size, budget) is double bought && law.Steps(size, bought) >= 1 ? bought : throw new UserErrorException(
                    $"--budget {Figures.Flops(budget)} is too small for {Quantities.Count(size)} parameters.",
                    $"A model of that size needs {Figures.Flops(law.Flops(size, law.LossAtSlope(size, GrowthRule.StopSlope)))} until its curve flattens.")
                : law.LossAtSlope(size, GrowthRule.StopSlope));
            return loss > law.Floor(size) ? (size, loss) : throw new UserErrorException(
                Invariant($"--loss {loss}: {Quantities.Count(size)} parameters never get below {law.Floor(size):F3}, however long they train."),
                $"Name a higher loss, or a --size above {Quantities.Count(law.BestSize(loss))}.");
        }

        double target = options.Loss ?? (options.Budget is double flops ? LossFor(law, flops) : throw new UserErrorException(
            "--law lacks a target.", "Say --size, --loss or --budget, or name a RECIPE."));
        double best = law.BestSize(target);
        return best is >= Smallest and <= Largest ? (best, target) : throw new UserErrorException(
            Invariant($"The loss {target:G4} suits {best:G2} parameters, for which no scaling law was fitted."), "Name another --loss, --budget or --size.");
    }

    /// <summary>The least loss that FLOPs buy with the size that suits it.</summary>
    private static double LossFor(ScalingLaw law, double flops)
    {
        (double low, double high) = (1e-2, 1e2);
        for (int i = 0; i < 200; i++)
        {
            double middle = Math.Sqrt(low * high);
            (low, high) = law.Flops(law.BestSize(middle), middle) > flops ? (middle, high) : (low, middle);
        }

        return law.BestSize(high) >= Smallest && law.Steps(law.BestSize(high), high) >= 1 ? high : throw new UserErrorException(
            $"--budget {Figures.Flops(flops)} is too small to train anything.", "The law was fitted from about 1e15 FLOPs on.");
    }

    private static TextTable Doubling(ScalingLaw law, double size) => new(
        "Doubling by the thresholds, as the law foresees it at any size",
        ["grows", "slope", "ratio S1 / S_target", "saved", "ceiling"],
        [
            .. Doublings.Select(doubling =>
            {
                double slope = GrowthRule.Of(doubling.Kind).Slope;
                var hop = LawHop.Of(law, size, doubling.Factor, slope, GrowthRule.StopSlope);
                return new[]
                {
                    CurvePlan.Word(doubling.Kind), Invariant($"{slope:0.####}"), CurvePlan.Ratio(hop.Ratio), Figures.Percent(hop.Saving),
                    Figures.Percent(CeilingOf(law, size, doubling.Factor)),
                };
            }),
        ]);

    /// <summary>The most that growing to a size by a factor can save, where the large model stops by its own slope.</summary>
    private static double CeilingOf(ScalingLaw law, double size, double factor) =>
        LawSchedule.Cheapest(law, [size / factor, size], law.LossAtSlope(size, GrowthRule.StopSlope), 2).Saving;

    private static TextTable Schedule(LawSchedule best, double loss) => new(
        "The cheapest schedule",
        ["stage", "parameters", "updates", "batch, tokens", "tokens", "until loss", "FLOPs", "share of scratch"],
        [
            .. best.Stages.Select((stage, i) => new[]
            {
                Invariant($"{i + 1}"), Quantities.Count(stage.Size), CurvePlan.Whole(stage.Steps), Quantities.Count(stage.Batch),
                Quantities.Count(stage.Steps * stage.Batch), Figures.Loss(stage.Loss), Figures.Flops(stage.Flops),
                Figures.Percent(stage.Flops / best.Scratch),
            }),
            new[] { "together", "", CurvePlan.Whole(best.Stages.Sum(s => s.Steps)), "", Quantities.Count(best.Stages.Sum(s => s.Steps * s.Batch)), Figures.Loss(loss), Figures.Flops(best.Flops), Figures.Percent(best.Flops / best.Scratch) },
        ]);

    private static JsonObject Json(ScalingLaw law, double size, double loss, LawSchedule one, LawSchedule best, double stack) => new()
    {
        ["ceiling"] = new JsonObject
        {
            ["loss"] = loss, ["one_growth"] = one.Saving, ["one_growth_at_loss"] = one.Stages.Count > 1 ? one.Stages[0].Loss : null,
            ["all_growths"] = best.Saving,
        },
        ["size"] = size, ["loss"] = loss, ["scratch_flops"] = best.Scratch, ["flops"] = best.Flops, ["saving"] = best.Saving,
        ["stages"] = new JsonArray([.. best.Stages.Select(stage => new JsonObject
        {
            ["parameters"] = stage.Size, ["updates"] = stage.Steps, ["batch_tokens"] = stage.Batch, ["until_loss"] = stage.Loss, ["flops"] = stage.Flops,
        })]),
        ["doubling"] = new JsonArray([.. Doublings.Select(doubling =>
        {
            var hop = LawHop.Of(law, size, doubling.Factor, GrowthRule.Of(doubling.Kind).Slope, GrowthRule.StopSlope);
            return new JsonObject
            {
                ["grows"] = CurvePlan.Word(doubling.Kind), ["ratio"] = hop.Ratio, ["saving"] = hop.Saving,
                ["ceiling"] = CeilingOf(law, size, doubling.Factor),
            };
        })]),
        ["stack_after_tokens"] = stack,
    };

    private static SvgChart Chart(ScalingLaw law, double[] sizes, LawSchedule best, double loss)
    {
        const int Points = 120;
        double highest = Math.Max(loss * 1.4, best.Stages[0].Loss * 1.05);
        return new SvgChart
        {
            Title = "Loss over FLOPs by the scaling law",
            X = ChartAxis.PowerOfTen("FLOPs", best.Scratch) with { Minimum = 0 },
            Y = new ChartAxis { Label = "Nats per token", Minimum = loss * 0.97, Maximum = highest },
            Target = loss,
            TargetText = $"target: {Figures.Loss(loss)}",
            Series =
            [
                new ChartSeries { Name = "from scratch", Color = 0, Points = [.. Falling(highest, loss).Select(l => new ChartPoint(Cost(sizes[^1], l), l))] },
                new ChartSeries
                {
                    Name = "growing",
                    Color = 1,
                    Points = [.. Grown()],
                    Events = [.. best.Stages.Take(best.Stages.Count - 1).Select((stage, i) => new ChartEvent(
                        best.Stages.Take(i + 1).Sum(s => s.Flops), $"{Quantities.Count(stage.Size)}→{Quantities.Count(best.Stages[i + 1].Size)}"))],
                },
            ],
        };

        double Cost(double size, double at) => 6 * size * best.Stages[^1].Batch * law.Steps(size, at);

        IEnumerable<ChartPoint> Grown()
        {
            double before = 0, from = double.PositiveInfinity;
            foreach (LawStage stage in best.Stages)
            {
                double begin = double.IsFinite(from) ? law.Steps(stage.Size, from) : 0;
                foreach (double at in Falling(Math.Min(from, highest), stage.Loss))
                {
                    yield return new ChartPoint(before + (6 * stage.Size * stage.Batch * (law.Steps(stage.Size, at) - begin)), at);
                }

                (before, from) = (before + stage.Flops, stage.Loss);
            }
        }

        static IEnumerable<double> Falling(double from, double to) =>
            Enumerable.Range(0, Points + 1).Select(i => from * Math.Pow(to / from, (double)i / Points));
    }

    /// <summary>The law's updates have its own batch; a recipe keeps its batch, and what share of its length each stage takes.</summary>
    private static string? RecipeOf(ScalingLaw law, Recipe? recipe, LawSchedule best, double[] depths)
    {
        if (recipe is null || best.Stages.Count < 2)
        {
            return null;
        }

        long tokens = (long)recipe.Training.MicroBatch * recipe.Training.GradientAccumulation * recipe.Model.ContextLength;
        var sizes = LayerSizes.Of(recipe.Model);
        LayerSizes[] stages = [.. best.Stages.Select(stage => sizes with { Layers = Array.IndexOf(depths, stage.Size) + 1 })];
        double[] ends = new double[best.Stages.Count];
        for (int i = 0; i < ends.Length; i++)
        {
            ends[i] = (i == 0 ? 0 : ends[i - 1]) + (best.Stages[i].Steps * best.Stages[i].Batch / tokens);
        }

        long[] boundaries = [.. ends[..^1].Select(end => (long)Math.Round(end))];
        long length = (long)Math.Round(ends[^1]);
        if (boundaries[0] < 1 || boundaries.Zip(boundaries.Skip(1).Append(length)).Any(pair => pair.First >= pair.Second))
        {
            throw new UserErrorException(
                Invariant($"training.length: the run is too short for {best.Stages.Count} stages: they would begin at {string.Join(", ", boundaries)} of {length} steps."),
                "Lengthen it, or ask for fewer with --stages.");
        }

        return StagedRecipe.Write(
            recipe, stages, boundaries, length, Ratio(law, best),
            $"Planned by the scaling law: growing should save at most {Figures.Percent(best.Saving)} (arXiv 2001.08361, 2203.06211).");
    }

    /// <summary>The position on the schedule before a growth over S_eff after it, on average over the growths.</summary>
    private static double Ratio(ScalingLaw law, LawSchedule best)
    {
        double position = 0, logs = 0;
        for (int i = 0; i < best.Stages.Count - 1; i++)
        {
            double before = position + best.Stages[i].Steps;
            position = law.Steps(best.Stages[i + 1].Size, best.Stages[i].Loss);
            logs += Math.Log(before / position);
        }

        return Math.Exp(logs / (best.Stages.Count - 1));
    }

    private static void InRange(double? value, double least, double most, string option)
    {
        if (value is double number && !(number >= least && number <= most))
        {
            throw new UserErrorException(Invariant($"{option} {number:G4} is not between {least:G4} and {most:G4}."));
        }
    }
}
