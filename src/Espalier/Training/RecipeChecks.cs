using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>What no key can tell by itself: heads against width, stages against layers, durations against the run.</summary>
internal sealed class RecipeChecks
{
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
        checks.CheckMethod();
    }

    private void Report(string key, string what, string remedy, string? because = null) =>
        _problems.Add(_binder.PlaceOf(key, because ?? key), key, what, remedy);

    /// <summary>A key of the model under the name that its architecture has for it.</summary>
    private string ModelKey(string property) => ConfigKeys.NameOf(_recipe.Model.GetType(), property);

    private void CheckHeads()
    {
        int width = _recipe.Model.HiddenSize, heads = _recipe.Model.Heads;
        string widthKey = ModelKey(nameof(ModelConfig.HiddenSize)), headsKey = "model." + ModelKey(nameof(ModelConfig.Heads));
        if (_problems.AreClean("model." + widthKey, headsKey) && width % heads != 0)
        {
            int fewer = heads, more = heads;
            while (width % fewer != 0)
            {
                fewer--;
            }

            while (more < width && width % more != 0)
            {
                more++;
            }

            string remedy = more <= width && width % more == 0 ? $"{fewer} and {more} do" : $"{fewer} does";
            Report(headsKey, $"{heads} heads do not divide {widthKey} {width}", remedy);
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

        CheckFits("learning_rate.warmup", _recipe.LearningRate.Warmup);
        CheckFits("method.rewarm", _recipe.Method.Rewarm);
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

    private void CheckMethod()
    {
        if (!_problems.AreClean("model." + ModelKey(nameof(ModelConfig.Layers)), "method.name", "method.stages"))
        {
            return;
        }

        int layers = _recipe.Model.Layers;
        MethodConfig method = MethodDefaults.Resolve(_recipe.Method, layers);
        if (method.Name == MethodKind.Scratch && !method.Stages.SequenceEqual([layers]))
        {
            Report(
                "method.stages", $"`scratch` trains all {layers} layers from the first step",
                "leave stages and boundaries out, or name another method");
            return;
        }

        if (CheckStages(method.Stages, layers))
        {
            CheckBoundaries(method);
            CheckSharingMap(method, layers);
        }
    }

    private bool CheckStages(int[] stages, int layers)
    {
        string text = ConfigValue.Format(stages);
        if (stages[0] < 1)
        {
            Report("method.stages", $"{text} begins with {stages[0]} layers", "store at least 1 layer");
        }
        else if (stages.Zip(stages.Skip(1)).Any(pair => pair.First >= pair.Second))
        {
            Report("method.stages", $"{text} does not increase", "each stage stores more layers than the one before");
        }
        else if (stages[^1] != layers)
        {
            Report(
                "method.stages", $"{text} ends with {stages[^1]} layers where the model has {ModelKey(nameof(ModelConfig.Layers))} {layers}",
                $"end with {layers}");
        }

        return _problems.AreClean("method.stages");
    }

    private void CheckBoundaries(MethodConfig method)
    {
        const string Key = "method.boundaries";
        if (!_problems.AreClean(Key))
        {
            return;
        }

        Duration[] boundaries = method.Boundaries;
        int needed = method.Stages.Length - 1;
        if (boundaries.Length != needed)
        {
            string stages = $"{Count(method.Stages.Length, "stage", "stages")} {ConfigValue.Format(method.Stages)}";
            if (needed == 0)
            {
                Report(Key, $"{stages} has no boundaries", "leave boundaries out", because: "method.stages");
            }
            else
            {
                Duration[] example = [.. Enumerable.Range(1, needed).Select(i => Duration.Percent(5 * i))];
                Report(
                    Key, $"{stages} need {Count(needed, "boundary", "boundaries")}, not {boundaries.Length}",
                    $"give one for each stage but the first, such as {ConfigValue.Format(example)}",
                    because: "method.stages");
            }

            return;
        }

        if (!LengthIsKnown || TotalSteps < 1 || needed == 0)
        {
            return;
        }

        long before = 0;
        foreach (Duration boundary in boundaries)
        {
            long step = Steps(boundary);
            if (step <= before)
            {
                Report(
                    Key, $"`{boundary}` is step {step}, not after {(before == 0 ? "the beginning" : $"step {before}, the boundary before it")}",
                    "let each stage last at least one step");
                return;
            }

            before = step;
        }

        if (before >= TotalSteps)
        {
            Report(
                Key, $"`{boundaries[^1]}` is step {before}, where the run has {TotalSteps}",
                "let the last stage last at least one step");
        }
    }

    /// <summary>
    /// A list says how ONE number of stored layers makes up the full depth. So it goes with two stages, and with
    /// samplers that ask for no depth between the stored and the full.
    /// </summary>
    private void CheckSharingMap(MethodConfig method, int layers)
    {
        const string Key = "method.sharing_map";
        if (!_problems.AreClean(Key) || method.SharingMap?.Custom is not { } map)
        {
            return;
        }

        int stored = method.Stages[0];
        if (method.Stages.Length != 2)
        {
            Report(
                Key, $"a list goes with two stages, and method.stages is {ConfigValue.Format(method.Stages)}",
                "take two stages, or interpolate or stack");
        }
        else if (map.Count != layers)
        {
            Report(Key, $"lists {map.Count} layers", $"list one stored layer for each of the {layers} executed");
        }
        else if (map.Any(layer => layer < 0 || layer >= stored))
        {
            Report(
                Key, $"names layer {map.First(layer => layer < 0 || layer >= stored)} of {stored} stored",
                $"they are counted from 0 to {stored - 1}");
        }
        else if (Enumerable.Range(0, stored).Except(map).Any())
        {
            Report(
                Key, $"leaves stored layer {Enumerable.Range(0, stored).Except(map).First()} out, which would never train",
                "use every stored layer");
        }
        else if (_problems.AreClean("method.sampler") && method.Sampler is not (DepthSamplerKind.Full or DepthSamplerKind.None))
        {
            Report(
                Key, $"the sampler {ConfigKeys.Kebab(method.Sampler!)} draws depths between {stored} and {layers}, for which a list says nothing",
                "set method.sampler to full or none, or take interpolate or stack");
        }
    }

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";
}
