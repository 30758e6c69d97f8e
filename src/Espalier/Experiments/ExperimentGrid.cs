using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>An arm as the grid has it.</summary>
/// <param name="Name">What tables and pictures call it.</param>
/// <param name="LearningRates">The peaks of its sweep, by growing size.</param>
/// <param name="IsNeverGrown">Whether it trains one whole model from the first update to the last.</param>
/// <param name="Settings">What it sets in the recipe, as the command line takes it.</param>
public sealed record GridArm(string Name, IReadOnlyList<double> LearningRates, bool IsNeverGrown, IReadOnlyList<string> Settings)
{
    /// <summary>The model that it begins with.</summary>
    public required ModelConfig InitialModel { get; init; }

    /// <summary>The model that it ends with.</summary>
    public required ModelConfig FinalModel { get; init; }
}

/// <summary>
/// All runs that an experiment can come to. Which of them it makes depends on what the sweeps say; each is as long as its budget
/// lasts, so that runs are compared at equal FLOPs.
/// </summary>
public sealed class ExperimentGrid
{
    private const string RateKey = "learning_rate.peak";

    // Costs are looked at at so many updates of a run.
    private const long CostSamples = 2000;

    // The length of a run whose budget has not been looked at yet: moments of growth in steps lie within it.
    private const long VeryLong = 1_000_000_000;

    private readonly Dataset _data;
    private readonly Tokenizer _tokenizer;
    private readonly Dictionary<(string Arm, double Budget, double Rate, ulong Seed), ExperimentRun> _runs = [];
    private readonly Dictionary<(string Arm, double Short, double Long), bool> _sharing = [];

    /// <summary>Plans an experiment; nothing is written.</summary>
    /// <param name="config">The experiment.</param>
    /// <exception cref="UserErrorException">
    /// A recipe is not right, there is no data, no arm that never grows, arms that cannot be compared, a schedule that does not end, or a
    /// budget of less than an update; the message names the arm.
    /// </exception>
    public ExperimentGrid(ExperimentConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        Config = config;
        Recipe first = Read(config.Arms.Arms[0], []);
        _data = Dataset.Open(first.Data.Path);
        _tokenizer = _data.LoadTokenizer();
        Recipe[] recipes = [.. config.Arms.Arms.Select(arm => Read(arm, []))];
        Arms =
        [
            .. config.Arms.Arms.Zip(recipes, (arm, recipe) =>
            {
                RunPlan plan = PlanOf(recipe);
                return new GridArm(
                    arm.Name, RatesOf(arm, recipe), recipe.Method is ScratchConfig, arm.Overrides.Without(RateKey).Arguments)
                {
                    InitialModel = plan.Method.InitialModel, FinalModel = plan.FinalModel,
                };
            }),
        ];
        RequireComparable(recipes);
        foreach (var (arm, budget, rate) in Cells().SelectMany(cell => cell.Arm.LearningRates, (cell, rate) => (cell.Arm, cell.Budget, rate)))
        {
            Run(arm, budget, rate, config.Seeds[0]);
        }
    }

    /// <summary>The experiment.</summary>
    public ExperimentConfig Config { get; }

    /// <summary>Its arms.</summary>
    public IReadOnlyList<GridArm> Arms { get; }

    /// <summary>Every arm at every budget, the small budgets first.</summary>
    public IEnumerable<(GridArm Arm, double Budget)> Cells() =>
        Config.Budgets.Order().SelectMany(_ => Arms, (budget, arm) => (arm, budget));

    /// <summary>The seeds that choose the best rate.</summary>
    public IReadOnlyList<ulong> SweepSeeds => [.. Config.Seeds.Take(Config.SweepSeeds)];

    /// <summary>A run of the grid.</summary>
    /// <param name="arm">The arm.</param>
    /// <param name="budget">FLOPs.</param>
    /// <param name="rate">The peak learning rate.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="UserErrorException">The budget is less than an update, or too short for the recipe's durations.</exception>
    public ExperimentRun Run(GridArm arm, double budget, double rate, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(arm);
        if (!_runs.TryGetValue((arm.Name, budget, rate, seed), out ExperimentRun? run))
        {
            run = Plan(arm, budget, rate, seed);
            _runs.Add((arm.Name, budget, rate, seed), run);
        }

        return run;
    }

    /// <summary>
    /// The runs of smaller budgets whose stable phases are the beginning of a run, the longest first: it may go on from their ends. Growth
    /// at shares of a length comes at other steps in another length, so that such runs share nothing after it.
    /// </summary>
    /// <param name="run">A run of the grid.</param>
    public IEnumerable<ExperimentRun> Trunks(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        GridArm arm = Arms.First(arm => arm.Name == run.Arm);
        return Config.Budgets.Where(budget => budget < run.Budget).OrderDescending()
            .Select(budget => Run(arm, budget, run.LearningRate, run.Seed)).Where(shorter => Shares(shorter, run));
    }

    /// <summary>What a run is expected to cost up to an update.</summary>
    /// <param name="run">The run.</param>
    /// <param name="step">The updates done.</param>
    public double FlopsUpTo(ExperimentRun run, long step)
    {
        ArgumentNullException.ThrowIfNull(run);
        return run.ExpectedFlops * PlanOf(run.Recipe).CostShare(step);
    }

    /// <summary>The time that a FLOP of a run takes here, measured by some updates of its last model on random tokens.</summary>
    /// <param name="run">The run.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="UserErrorException">The device is not here.</exception>
    public double MeasureSecondsPerFlop(ExperimentRun run, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        ModelConfig model = PlanOf(run.Recipe).FinalModel;
        return 1 / MeasuredStep.FlopsPerSecond(run.Recipe, model, ObjectiveOf(run.Recipe).PredictedShare(model.ContextLength), stop);
    }

    // Rate and seed are the same in both runs, so that one answer is that of all of an arm's.
    private bool Shares(ExperimentRun shorter, ExperimentRun run)
    {
        if (!_sharing.TryGetValue((run.Arm, shorter.Budget, run.Budget), out bool shares))
        {
            RunPlan there = PlanOf(shorter.Recipe), here = PlanOf(run.Recipe);
            shares = shorter.StableSteps > there.WarmupSteps
                && SharedPast.Of(shorter.Recipe, run.Recipe, there, here, new LossCurve(there.LossInterval), shorter.StableSteps).What is null;
            _sharing.Add((run.Arm, shorter.Budget, run.Budget), shares);
        }

        return shares;
    }

    private RunPlan PlanOf(Recipe recipe)
    {
        ModelConfig model = recipe.Model with { VocabularySize = recipe.Model.VocabularySize ?? _data.VocabularySize };
        return new RunPlan(recipe, model, ObjectiveOf(recipe).PredictedShare(model.ContextLength));
    }

    private ExperimentRun Plan(GridArm arm, double budget, double rate, ulong seed)
    {
        ExperimentArm said = Config.Arms.Arms.First(other => other.Name == arm.Name);
        string[] ofTheRun = [$"{RateKey}={ConfigValue.Format(rate)}", $"seed={ConfigValue.Format(seed)}", $"name={ConfigValue.Format(arm.Name)}"];
        Recipe recipe = Read(said, ofTheRun);

        // The mean cost of an update depends on how long the run is only where moments of growth are absolute: a few rounds settle it.
        long steps = VeryLong;
        double cost = CostOf(steps);
        for (int round = 0; round < 20; round++)
        {
            long next = Math.Max(1, (long)(steps * budget / cost));
            if (next == steps)
            {
                break;
            }

            (steps, cost) = (next, CostOf(next));
        }

        // Moments of growth are whole updates, so that the mean jumps a little.
        for (double more; (more = CostOf(steps + 1)) <= budget;)
        {
            (steps, cost) = (steps + 1, more);
        }

        while (steps > 1 && cost > budget)
        {
            cost = CostOf(--steps);
        }

        if (cost > budget)
        {
            throw new UserErrorException(
                System.FormattableString.Invariant($"The arm {arm.Name} cannot fit the budget of {budget:0.###e0} FLOPs: one update costs {cost:0.###e0}."),
                "Raise the budget, or make model or batch smaller.");
        }

        // Read once more, so that durations are checked against the length that it has.
        recipe = Read(said, [.. ofTheRun, $"training.length={steps} steps"]);
        return new ExperimentRun(arm.Name, budget, rate, seed, recipe)
        {
            Steps = steps,
            ExpectedFlops = cost,
            StableSteps = PlanOf(recipe).LearningRate.StableSteps,
            Key = ExperimentRun.KeyOf(recipe, _data.Inputs),
        };

        // When growth comes that waits for the loss nobody knows before, and no run may spend more than its budget.
        double CostOf(long length) => PlanOf(
            recipe with { Training = recipe.Training with { Length = Duration.Steps(length) }, Method = recipe.Method.AtItsDearest })
            .Stages(CostSamples).Sum(stage => stage.Flops.Total);
    }

    /// <summary>An arm's recipe.</summary>
    /// <exception cref="UserErrorException">It is not right; the message names the arm.</exception>
    private Recipe Read(ExperimentArm arm, string[] more)
    {
        try
        {
            return RecipeReader.Read(
                Config.Recipe,
                [.. Config.Set.Arguments, $"training.length={VeryLong} steps", .. arm.Overrides.Without(RateKey).Arguments, .. more]);
        }
        catch (UserErrorException exception)
        {
            throw new UserErrorException(
                $"The arm {arm.Name}:\n{exception.Message}", exception.Hint ?? "Mend what it sets, or what the recipe says.", exception);
        }
    }

    private double[] RatesOf(ExperimentArm arm, Recipe recipe)
    {
        try
        {
            double[] rates = arm.Overrides.Values<double>(RateKey)
                ?? (Config.LearningRates.Length > 0 ? Config.LearningRates : [recipe.LearningRate.Peak]);
            return rates.Length > 0 && Array.TrueForAll(rates, rate => rate > 0)
                ? [.. rates.Distinct().Order()]
                : throw new BadValueException($"is {ConfigValue.Format(rates)}", "give one rate or several, such as [1e-3, 2e-3]");
        }
        catch (BadValueException exception)
        {
            throw new UserErrorException($"The arm {arm.Name}: {RateKey} {exception.Message}", exception.Remedy, exception);
        }
    }

    private void RequireComparable(Recipe[] recipes)
    {
        if (!Arms.Any(arm => arm.IsNeverGrown))
        {
            throw new UserErrorException(
                "No arm trains from scratch: there would be nothing to hold the others against.",
                "Add arms with method.name: scratch, several depths or widths of them: what growing has to beat is the best.");
        }

        if (Config.Target is string target && !Arms.First(arm => arm.Name == target).IsNeverGrown)
        {
            throw new UserErrorException(
                $"The target {target} grows: what others save against it would not be against training from scratch.",
                "Name an arm with method.name: scratch.");
        }

        for (int i = 0; i < recipes.Length; i++)
        {
            Recipe recipe = recipes[i];
            string name = Arms[i].Name;
            if (recipe.LearningRate is { Schedule: LearningRateSchedule.Constant }
                or { Schedule: LearningRateSchedule.Wsd, Decay.Value: 0 })
            {
                throw new UserErrorException(
                    $"The arm {name} has a learning rate that does not decay: its loss at the end of a budget says little.",
                    "Set learning_rate.schedule to wsd, linear or cosine, so that each run decays to its own end.");
            }

            if (Difference(recipes[0], recipe) is string difference)
            {
                throw new UserErrorException(
                    $"The arms {Arms[0].Name} and {name} cannot be compared: {difference}.", "Measure all arms on the same held-out text alike.");
            }
        }
    }

    /// <summary>What makes held-out losses of two recipes incomparable; null where nothing does.</summary>
    private string? Difference(Recipe a, Recipe b) =>
        a.Model.ContextLength != b.Model.ContextLength
            ? $"their context lengths are {a.Model.ContextLength} and {b.Model.ContextLength}"
        : a.Evaluation.Tokens != b.Evaluation.Tokens
            ? $"evaluation.tokens is {ConfigValue.Format(a.Evaluation.Tokens)} and {ConfigValue.Format(b.Evaluation.Tokens)}"
        : ObjectiveOf(a).GetType() != ObjectiveOf(b).GetType()
            ? $"they predict other things, {a.Model.ModelType} and {b.Model.ModelType}"
        : null;

    private IObjective ObjectiveOf(Recipe recipe) => recipe.Model.Architecture.Objective(_tokenizer);
}
