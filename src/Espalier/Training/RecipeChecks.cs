using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>What no key can tell by itself: heads against width, stages against layers, durations against the run.</summary>
internal sealed class RecipeChecks
{
    // A thousand steps a second for thirty years.
    private const long MostSteps = 1_000_000_000_000;

    private readonly Recipe _recipe;
    private readonly RecordBinder _binder;
    private readonly ConfigProblems _problems;

    private RecipeChecks(Recipe recipe, RecordBinder binder, ConfigProblems problems)
    {
        _recipe = recipe;
        _binder = binder;
        _problems = problems;
    }

    /// <summary>Reports contradictions between keys; those with a problem of their own are left out of it.</summary>
    public static void Check(Recipe recipe, RecordBinder binder, ConfigProblems problems)
    {
        var checks = new RecipeChecks(recipe, binder, problems);
        checks.CheckHeads();
        checks.CheckDurations();
        checks.CheckParametrization();
        checks.CheckMethod();
    }

    private void Report(string key, string what, string remedy, string? because = null) =>
        _problems.Add(_binder.PlaceOf(key, because ?? key), key, what, remedy);

    /// <summary>A key of the model under the name that its architecture has for it.</summary>
    private string ModelKey(string property) => ConfigKeys.NameOf(_recipe.Model.GetType(), property);

    private void CheckHeads()
    {
        string headsKey = "model." + ModelKey(nameof(ModelConfig.Heads));
        bool isClean = _problems.AreClean(
            "model." + ModelKey(nameof(ModelConfig.HiddenSize)), headsKey, "model.num_key_value_heads", "model.head_dim");
        if (isClean && _recipe.Model.HeadProblem() is var (key, what, remedy))
        {
            Report("model." + key, what, remedy, headsKey);
        }
    }

    private bool LengthIsKnown =>
        _problems.AreClean(
            "training.length", "training.micro_batch", "training.gradient_accumulation",
            "model." + ModelKey(nameof(ModelConfig.ContextLength)));

    private long TokensPerStep =>
        (long)_recipe.Training.MicroBatch * _recipe.Training.GradientAccumulation * _recipe.Model.ContextLength;

    private long TotalSteps => _recipe.Training.Length.ToSteps(0, TokensPerStep);

    private long Steps(Duration duration) => duration.ToSteps(TotalSteps, TokensPerStep);

    private void CheckDurations()
    {
        if (_problems.AreClean("training.length") && _recipe.Training.Length.Unit == DurationUnit.Percent)
        {
            Report("training.length", "a run's own length cannot be per cent", "give it in steps or tokens");
        }

        CheckEvery("evaluation.every", _recipe.Evaluation.Every);
        CheckEvery("checkpoint.every", _recipe.Checkpoint.Every);
        CheckEvery("logging.every", _recipe.Logging.Every);
        foreach (Duration point in _recipe.Checkpoint.At)
        {
            CheckEvery("checkpoint.at", point);
        }

        if (!LengthIsKnown)
        {
            return;
        }

        if (TotalSteps < 1)
        {
            Report(
                "training.length", $"`{_recipe.Training.Length}` is less than one step",
                $"a step takes {TokensPerStep} tokens (micro_batch x gradient_accumulation x {ModelKey(nameof(ModelConfig.ContextLength))})");
            return;
        }

        if (TotalSteps > MostSteps)
        {
            Report(
                "training.length", $"`{_recipe.Training.Length}` is {TotalSteps} steps",
                $"{MostSteps} are the most, at a step of {TokensPerStep} tokens");
        }

        CheckFits("learning_rate.warmup", _recipe.LearningRate.Warmup);
        foreach (Duration point in _recipe.Checkpoint.At)
        {
            CheckFits("checkpoint.at", point);
        }

        LearningRateConfig rate = _recipe.LearningRate;
        if (rate.Schedule == LearningRateSchedule.Wsd && _problems.AreClean("learning_rate.warmup", "learning_rate.decay")
            && Steps(rate.Warmup) + Steps(rate.Decay) > TotalSteps)
        {
            Report(
                "learning_rate.decay", $"warm-up and decay, `{rate.Warmup}` and `{rate.Decay}`, are longer than the run of {TotalSteps} steps",
                "shorten one of them", "learning_rate.schedule");
        }
    }

    private void CheckEvery(string key, Duration every)
    {
        if (_problems.AreClean(key) && every.Value == 0)
        {
            Report(key, "is 0", "the shortest is `1 steps`");
        }
    }

    private void CheckFits(string key, Duration duration)
    {
        if (_problems.AreClean(key) && Steps(duration) > TotalSteps)
        {
            Report(
                key, $"`{duration}` is longer than the run of {TotalSteps} steps",
                "shorten it, or lengthen training.length");
        }
    }

    private void CheckParametrization()
    {
        foreach (ConfigProblem problem in _recipe.Parametrization.Check(_recipe.Model))
        {
            Report("parametrization." + problem.Key, problem.What, problem.Remedy);
        }
    }

    private void CheckMethod()
    {
        if (!_problems.AreClean("model." + ModelKey(nameof(ModelConfig.Layers)), "method.name"))
        {
            return;
        }

        RunShape? run = LengthIsKnown && TotalSteps >= 1
            ? new RunShape(_recipe.Model, TotalSteps, TokensPerStep, _recipe.Seed)
            : null;
        var surroundings = new MethodSurroundings(
            _recipe.Model, ModelKey(nameof(ModelConfig.Layers)), run, key => _problems.AreClean("method." + key));
        foreach (ConfigProblem problem in _recipe.Method.Check(surroundings))
        {
            if (surroundings.IsClean(problem.Key))
            {
                Report(
                    "method." + problem.Key, problem.What, problem.Remedy,
                    problem.Because is null ? null : "method." + problem.Because);
            }
        }
    }
}
