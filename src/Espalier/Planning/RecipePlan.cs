using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Torch;
using Espalier.Training;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>What a recipe's plan is to tell besides FLOPs and memory.</summary>
public sealed record RecipePlanOptions
{
    /// <summary>The most ranks that are planned for.</summary>
    public const int MostRanks = 1024;

    /// <summary>The names of networks that are known, one after the other.</summary>
    public static string Networks => Planning.Network.Names;

    /// <summary>Whether to measure how fast updates run here, and so to tell the time.</summary>
    public bool Measure { get; init; }

    /// <summary>The bytes of a rank; null for no layout on ranks.</summary>
    public double? RankMemory { get; init; }

    /// <summary>On how many ranks it is to run, 1 to 1,024; null where that is not asked.</summary>
    public int? Ranks { get; init; }

    /// <summary>What lies between ranks: a name, or a rate and a latency such as <c>25Gbit/s,50us</c>.</summary>
    public string Network { get; init; } = Planning.Network.Default;

    /// <summary>The FLOPs a second that a rank reaches; null where that is not known, or measured.</summary>
    public double? Speed { get; init; }

    /// <summary>Other constants of the scaling law that the ceiling goes by; null for none.</summary>
    public string? Constants { get; init; }
}

/// <summary>What a recipe will cost before it runs, against training its final model from scratch for as long.</summary>
public static class RecipePlan
{
    /// <summary>Makes the plan.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="options">What else to tell.</param>
    /// <param name="stop">Ends a measurement early.</param>
    /// <exception cref="UserErrorException">The vocabulary is not known, or a measurement is not possible here.</exception>
    public static PlanReport Make(Recipe recipe, RecipePlanOptions? options = null, CancellationToken stop = default)
    {
        options ??= new RecipePlanOptions();
        (ModelConfig model, double predicted) = ModelOf(recipe);
        var cost = ExpectedCost.Of(recipe, model, predicted);
        double[]? rates = options.Measure
            ? [.. cost.Stages.Select(stage => MeasuredStep.FlopsPerSecond(recipe, stage.Model, predicted, stop))]
            : null;
        double? seconds = rates is null ? null : cost.Stages.Zip(rates).Sum(pair => pair.First.Flops.Total / pair.Second);
        bool isBf16 = recipe.Training.Precision == Precision.Bf16
            || (recipe.Training.Precision == Precision.Auto && Engine.HasFastBFloat16(Trainer.DeviceOf(recipe)));
        bool onGpu = recipe.Training.Device.StartsWith("cuda", StringComparison.Ordinal)
            || (recipe.Training.Device == "auto" && Engine.CudaDeviceCount > 0);
        MemoryNeed[] memory =
            [.. cost.Stages.Select(stage => MemoryNeed.Of(recipe, stage, recipe.Optimizer.Create(), isBf16, onGpu))];

        List<TextTable> tables = [CostTable(cost, rates), MemoryTable(memory)];
        List<string> notes =
        [
            (cost.IsExact
                ? $"FLOPs: the exact mean over what {recipe.Method.Name} may draw, "
                : $"FLOPs: {recipe.Method.Name} cannot tell its mean; averaged over what it draws, ")
                + (cost.Looked == cost.TotalSteps ? "at every update." : $"at {CurvePlan.Whole(cost.Looked)} of {CurvePlan.Whole(cost.TotalSteps)} updates.")
                + " What growth itself learns and tries is in it; evaluation and checkpoints are not. Growth that waits for the loss is taken to come at its latest.",
            "This is the cost of the whole run. A run that is stopped where it reaches the loss of training from scratch saves more.",
            MemoryNeed.Formula,
        ];
        JsonObject json = Json(recipe, cost, memory, seconds);
        string ceiling = Ceiling(recipe, options, json);
        if (rates is not null)
        {
            notes.Add("Time: updates of each stage's model on random tokens were measured on this machine, every stored layer run once; "
                + "the rate in FLOPs a second is taken for the whole stage.");
        }

        if (options.Ranks is int count)
        {
            RankPlanTables onSeveral = OnRanks(recipe, count, options, cost, memory, isBf16, onGpu, predicted, stop);
            tables.AddRange(onSeveral.Tables);
            notes.Add(RankPlan.Formula);
            json["on_ranks"] = onSeveral.Json;
        }
        else if (options.RankMemory is double bytes)
        {
            (TextTable ranks, JsonArray onRanks) = RankTable.Of(
                [.. cost.Stages.Select(stage => (LayerSizes.Of(stage.Model).Parameters, stage.Model.Layers, stage.Model.HiddenSize))],
                bytes, model.ContextLength);
            tables.Add(ranks);
            notes.Add(RankLayout.Formula);
            json["ranks"] = onRanks;
        }

        return new PlanReport(ceiling, tables, notes, json, Chart(cost), RecipeWriter.Write(recipe));
    }

    private static RankPlanTables OnRanks(
        Recipe recipe, int ranks, RecipePlanOptions options, ExpectedCost cost, MemoryNeed[] memory, bool isBf16, bool onGpu, double predicted,
        CancellationToken stop)
    {
        var network = Network.Parse(options.Network);
        if (RankAgreement.Uneven(recipe, ranks) is UserErrorException error)
        {
            throw error;
        }

        Recipe recompute = recipe with { Training = recipe.Training with { Recompute = true } };
        return new RankPlanTables(
            [
                .. cost.Stages.Zip(memory, (stage, need) => new RankPlan(
                    stage, need, MemoryNeed.Of(recompute, stage, recipe.Optimizer.Create(), isBf16, onGpu), recipe.Training.GradientAccumulation, network,
                    options.Speed is double stated ? new RankSpeed(stated, 0)
                        : options.Measure ? MeasuredStep.OfRank(recipe, stage.Model, predicted, stop) : null)),
            ],
            ranks, options.RankMemory, keepsAttention: !onGpu);
    }

    /// <summary>The final model with its vocabulary, and the share of positions that it predicts, from the data or without it.</summary>
    private static (ModelConfig Model, double Predicted) ModelOf(Recipe recipe)
    {
        ModelConfig model = recipe.Model;
        if (Directory.Exists(recipe.Data.Path))
        {
            Dataset data = Dataset.Open(recipe.Data.Path);
            return (
                model with { VocabularySize = model.VocabularySize ?? data.VocabularySize },
                model.Architecture.Objective(data.LoadTokenizer()).PredictedShare(model.ContextLength));
        }

        string key = "model." + ConfigKeys.NameOf(model.GetType(), nameof(ModelConfig.VocabularySize));
        return model.VocabularySize is not null
            ? (model, model is BertConfig ? MaskedToken.ShareOf(model.ContextLength) : 1)
            : throw new UserErrorException(
                $"The vocabulary is not known: the recipe leaves {key} out, and there is no data in {recipe.Data.Path}.",
                $"Write {key}=50257 after the recipe, or prepare its data.");
    }

    private static string Ceiling(Recipe recipe, RecipePlanOptions options, JsonObject json)
    {
        if (recipe.Model is not Gpt2Config)
        {
            return "Ceiling: unknown. The scaling law is of next-token losses; curves of this model can tell (--curve).";
        }

        try
        {
            PlanReport law = LawPlan.Make(new LawPlanOptions { Recipe = recipe, Stages = 2, Constants = options.Constants });
            json["ceiling"] = law.Json["ceiling"]!.DeepClone();
            return law.Ceiling;
        }
        catch (UserErrorException) when (options.Constants is null)
        {
            return "Ceiling: unknown. The scaling law does not reach down to a run as short as this; curves can tell (--curve).";
        }
    }

    private static TextTable CostTable(ExpectedCost cost, double[]? rates)
    {
        double scratch = cost.Scratch.Total, scratchWithout = cost.Scratch.Layers + cost.Scratch.Attention;
        double? seconds = rates is null ? null : cost.Stages.Zip(rates).Sum(pair => pair.First.Flops.Total / pair.Second);
        return new TextTable(
            "What the recipe will cost, and its final model from scratch for as many updates",
            [
                "", "layers x width", "updates", "FLOPs", "of scratch", "without head", "of scratch, without head",
                .. rates is null ? Array.Empty<string>() : ["time", "GFLOP/s"],
            ],
            [
                .. cost.Stages.Select((stage, i) => Row(
                    Invariant($"stage {i + 1}"), stage.Model, stage.End - stage.Begin, stage.Flops, stage.Flops.Total / rates?[i], rates?[i])),
                Row("together", null, cost.TotalSteps, cost.Flops, seconds, null),
                Row("from scratch", cost.Stages[^1].Model, cost.TotalSteps, cost.Scratch, cost.Scratch.Total / rates?[^1], rates?[^1]),
            ]);

        string[] Row(string name, ModelConfig? model, long updates, FlopsCount flops, double? time, double? rate)
        {
            double without = flops.Layers + flops.Attention;
            return
            [
                name, model is null ? "" : LayerSizes.Of(model).ToString(), CurvePlan.Whole(updates), Figures.Flops(flops.Total),
                Figures.Percent(flops.Total / scratch), Figures.Flops(without), Figures.Percent(without / scratchWithout),
                .. rates is null ? Array.Empty<string>() : [Figures.Duration(time), rate is double r ? Invariant($"{r / 1e9:0.0}") : ""],
            ];
        }
    }

    private static TextTable MemoryTable(MemoryNeed[] memory) => new(
        "Memory on one machine, by formulas",
        ["", "parameters", "weights", "gradients", "optimizer", "activations", "together"],
        [
            .. memory.Select((need, i) => new[]
            {
                Invariant($"stage {i + 1}"), Quantities.Count(need.Parameters), Quantities.Bytes(need.Weights), Quantities.Bytes(need.Gradients),
                Quantities.Bytes(need.Optimizer), Quantities.Bytes(need.Activations), Quantities.Bytes(need.Total),
            }),
        ]);

    private static JsonObject Json(Recipe recipe, ExpectedCost cost, MemoryNeed[] memory, double? seconds) => new()
    {
        ["ceiling"] = null,
        ["recipe"] = recipe.Name, ["method"] = recipe.Method.Name, ["is_exact"] = cost.IsExact, ["updates"] = cost.TotalSteps,
        ["flops"] = cost.Flops.Total, ["flops_without_head"] = cost.Flops.Layers + cost.Flops.Attention,
        ["scratch_flops"] = cost.Scratch.Total, ["share_of_scratch"] = cost.Share, ["share_without_head"] = cost.ShareWithoutHead,
        ["layers_share"] = cost.Flops.Layers / cost.Scratch.Layers,
        ["seconds"] = seconds,
        ["stages"] = new JsonArray([.. cost.Stages.Zip(memory, (stage, need) => new JsonObject
        {
            ["layers"] = stage.Model.Layers, ["hidden"] = stage.Model.HiddenSize, ["begin"] = stage.Begin, ["end"] = stage.End,
            ["flops"] = stage.Flops.Total, ["flops_without_head"] = stage.Flops.Layers + stage.Flops.Attention,
            ["deepest"] = stage.Depth, ["parameters"] = need.Parameters, ["weight_bytes"] = need.Weights,
            ["gradient_bytes"] = need.Gradients, ["optimizer_bytes"] = need.Optimizer, ["activation_bytes"] = need.Activations,
        })]),
    };

    private static SvgChart Chart(ExpectedCost cost)
    {
        List<ChartPoint> run = [new ChartPoint(0, 0)];
        foreach (CostStage stage in cost.Stages)
        {
            run.Add(new ChartPoint(stage.End, run[^1].Y + stage.Flops.Total));
        }

        return new SvgChart
        {
            Title = "FLOPs over updates, vocabulary head included",
            X = ChartAxis.PowerOfTen("Updates", cost.TotalSteps) with { Minimum = 0 },
            Y = ChartAxis.PowerOfTen("FLOPs", cost.Scratch.Total) with { Minimum = 0 },
            Series =
            [
                new ChartSeries { Name = "from scratch", Color = 0, Points = [new ChartPoint(0, 0), new ChartPoint(cost.TotalSteps, cost.Scratch.Total)] },
                new ChartSeries
                {
                    Name = "this recipe",
                    Color = 1,
                    Points = run,
                    Events = [.. cost.Stages.Skip(1).Select((stage, i) => new ChartEvent(stage.Begin, $"{LayerSizes.Of(cost.Stages[i].Model)} → {LayerSizes.Of(stage.Model)}"))],
                },
            ],
        };
    }
}
