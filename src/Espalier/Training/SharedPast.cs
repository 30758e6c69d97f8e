using System.Globalization;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>
/// How far the run of one recipe is also the run of another: where it begins with the same weights, and makes each update by the same
/// plans, growths and rates. Lengths may differ, and whatever has no say before then, such as the decay of a rate that stays at its
/// peak until it comes.
/// </summary>
internal sealed class SharedPast
{
    // What has no say in weights, and what is judged by what it does.
    private static readonly string[] FreeKeys =
        ["name", "data.path", "training.length", "training.device", "training.threads", "training.recompute", "training.shard_optimizer",
        "evaluation.every"];

    private static readonly string[] FreeSections = ["learning_rate.", "method.", "checkpoint.", "logging."];

    private SharedPast(IReadOnlyList<string> differences, string? what, TrainingPosition? position) =>
        (Differences, What, Position) = (differences, what, position);

    /// <summary>The keys in which the pasts differ, each with both values; empty where they do not.</summary>
    public IReadOnlyList<string> Differences { get; }

    /// <summary>What first differs, in words; null where nothing does.</summary>
    public string? What { get; }

    /// <summary>Where the other recipe's run stands then, as far as it follows from the recipe; null where the pasts differ.</summary>
    public TrainingPosition? Position { get; }

    /// <summary>Holds two recipes against each other.</summary>
    /// <param name="run">The recipe of a run.</param>
    /// <param name="here">Another recipe.</param>
    /// <param name="plan">The other, worked out.</param>
    /// <param name="planOfRun">The run's, worked out.</param>
    /// <param name="losses">The loss of the run.</param>
    /// <param name="step">Up to which step.</param>
    /// <param name="ratesFrom">From which step on the rates have a say too.</param>
    public static SharedPast Of(
        Recipe run, Recipe here, RunPlan planOfRun, RunPlan plan, LossCurve losses, long step, long ratesFrom = 0)
    {
        string[] fixedKeys = FixedDifferences(run, here);
        if (fixedKeys.Length > 0)
        {
            return new SharedPast(fixedKeys, "it is the run of another recipe", null);
        }

        // Of another interval, the points lie elsewhere.
        LossCurve own = plan.LossInterval == losses.Interval ? losses : new LossCurve(plan.LossInterval);
        if (plan.LossInterval != losses.Interval && (run.Method.WaitsForLoss || here.Method.WaitsForLoss))
        {
            return Different(
                string.Create(CultureInfo.InvariantCulture,
                    $"growth waits for the loss, of which a run of {planOfRun.TotalSteps} steps keeps a mean of every {losses.Interval}, and one of {plan.TotalSteps} steps of every {plan.LossInterval}"),
                "training.length", "method.boundaries");
        }

        Course there = new(planOfRun, losses), course = new(plan, own);
        if (!there.Model.IsSameAs(course.Model))
        {
            return Different("it begins with another model", "method.");
        }

        for (long done = 0; done < step; done++)
        {
            there.Grow();
            course.Grow();
            if (there.Position.Growths.Count != course.Position.Growths.Count
                || there.Position.Growths.Zip(course.Position.Growths).Any(pair => !AreSame(pair.First, pair.Second)))
            {
                return Different($"it grows otherwise at step {done}", "method.");
            }

            if (done >= ratesFrom && there.Rates != course.Rates)
            {
                return Different(
                    $"the learning rate of step {done} is {Text(there.Rates)} in the run, {Text(course.Rates)} here",
                    [.. RateKeys(run, here, planOfRun, plan, done)]);
            }

            for (int i = 0; i < here.Training.GradientAccumulation; i++)
            {
                if (!AreSame(there.Plan(i), course.Plan(i)))
                {
                    return Different($"other layers are executed at step {done}", "method.");
                }
            }

            there.Update();
            course.Update();
        }

        return new SharedPast([], null, course.Position);

        SharedPast Different(string what, params string[] keys)
        {
            string[] found = [.. Differing(run, here, key => Array.Exists(keys, name => name.EndsWith('.') ? key.StartsWith(name, StringComparison.Ordinal) : key == name))];
            return new SharedPast(found, what, null);
        }

        static string Text(LearningRates rates) => rates.Rate == rates.New
            ? rates.Rate.ToString("R", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{rates.Rate:R} and {rates.New:R} of what is new");
    }

    /// <summary>The keys in which recipes differ and that no run may change while it trains, each with both values.</summary>
    public static string[] FixedDifferences(Recipe run, Recipe here) => [.. Differing(run, here, IsFixed)];

    private static bool IsFixed(string key) =>
        !FreeKeys.Contains(key) && !Array.Exists(FreeSections, section => key.StartsWith(section, StringComparison.Ordinal));

    /// <summary>The keys that say the rate at a step.</summary>
    private static IEnumerable<string> RateKeys(Recipe run, Recipe here, RunPlan planOfRun, RunPlan plan, long step)
    {
        const string Section = "learning_rate.";
        yield return Section + "peak";
        if (step < Math.Max(planOfRun.WarmupSteps, plan.WarmupSteps))
        {
            yield return Section + "warmup";
            yield break;
        }

        string[] last = ["schedule", "final", "decay_form", .. run.LearningRate.Schedule == LearningRateSchedule.Wsd ? new[] { "decay" } : []];
        foreach (string key in last)
        {
            yield return Section + key;
        }

        yield return "training.length";
        if (here.Method is not ScratchConfig)
        {
            yield return "method.";
        }
    }

    /// <summary>Keys whose values differ, or are shares of runs whose lengths do.</summary>
    private static IEnumerable<string> Differing(Recipe run, Recipe here, Func<string, bool> isAsked)
    {
        Dictionary<string, string> there = RecipeDifference.Values(run), own = RecipeDifference.Values(here);
        string lengthOfRun = run.Training.Length.ToString(), length = here.Training.Length.ToString();
        foreach (string key in there.Keys.Union(own.Keys).Where(isAsked))
        {
            string first = RecipeDifference.Of(there, key), second = RecipeDifference.Of(own, key);
            if (first != second)
            {
                yield return $"{key}: {first} in the run, {second} here";
            }
            else if (first.Contains('%', StringComparison.Ordinal) && lengthOfRun != length)
            {
                yield return $"{key}: {first} of {lengthOfRun} in the run, of {length} here";
            }
        }
    }

    private static bool AreSame(GrowthRecord one, GrowthRecord other) =>
        one.Step == other.Step && one.Operator == other.Operator && one.Rewarm == other.Rewarm;

    private static bool AreSame(ForwardPlan one, ForwardPlan other) =>
        one.Layers.SequenceEqual(other.Layers) && one with { Layers = other.Layers } == other;
}
