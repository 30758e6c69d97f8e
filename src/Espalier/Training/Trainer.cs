using System.Globalization;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Distributed;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// A training run: a fold over steps, in which the state is planned for, updated, sometimes grown, and from time to
/// time measured and saved. It never asks which method it runs.
/// </summary>
public sealed class Trainer : IDisposable
{
    // How fast the loss of the progress line forgets.
    private const double LossSmoothing = 0.95;

    // Updates after which ranks compare their weights.
    private const long CompareEvery = 100;

    private readonly Recipe _recipe;
    private readonly Action<TrainingProgress>? _progress;
    private readonly Ranks _ranks;
    private readonly Compute _compute;
    private readonly RunPlan _plan;
    private readonly Tokenizer _tokenizer;
    private readonly string _data;
    private readonly IObjective _objective;
    private readonly TokenShard _train, _valid;
    private readonly IOptimizer _optimizer;
    private readonly Mup? _mup;
    private readonly TrainingStep _step;

    // By length of the sequences.
    private readonly Dictionary<int, ITrainingBatches> _batches = [];

    private readonly long _trainTokens;
    private readonly LossWatch _watch;

    private double? _smoothedLoss;
    private double? _validLoss;
    private double _tokensPerSecond;
    private double _speedSeconds, _speedCost;

    /// <summary>Prepares a run: all that can be refused before anything is written is refused here.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="data">What to train on.</param>
    /// <param name="progress">Hears of every step, evaluation and checkpoint.</param>
    /// <param name="ranks">The processes that train it; null for this one alone.</param>
    /// <exception cref="UserErrorException">The recipe and the data do not fit, or the device is not here.</exception>
    public Trainer(Recipe recipe, Dataset data, Action<TrainingProgress>? progress = null, Ranks? ranks = null)
    {
        (_recipe, _progress, _ranks) = (recipe, progress, ranks ?? Ranks.Single);
        RankAgreement.RequireShares(recipe, _ranks);
        (_tokenizer, _data) = (data.LoadTokenizer(), data.Inputs);
        _compute = Compute.Of(DeviceOf(recipe, _ranks), recipe.Training.Precision);
        ModelConfig model = FinalModel(recipe, data);
        _objective = model.Architecture.Objective(_tokenizer);
        _plan = new RunPlan(recipe, model, _objective.PredictedShare(model.ContextLength));
        _mup = recipe.Parametrization.Of(model);
        _optimizer = recipe.Optimizer.Create(_mup);
        _step = new TrainingStep(_optimizer, recipe.Optimizer.ClipNorm, _compute, recipe.Training.ZLoss, _ranks, recipe.Training.Recompute);
        _watch = new LossWatch(model.Vocabulary);
        _trainTokens = data.Train.Tokens;
        _train = data.OpenTrain();
        try
        {
            _valid = data.OpenValid();
            _ = BatchesOf(model.ContextLength);

            // Made for every evaluation, but too little text is to be refused now.
            _objective.HeldOut(
                _valid, recipe.Training.MicroBatch, model.ContextLength, recipe.Evaluation.Tokens, stride: null);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Hears a line about what a person may want to know before it is too late.</summary>
    internal Action<string>? Warn { get; init; }

    /// <summary>The updates of the whole run.</summary>
    public long TotalSteps => _plan.TotalSteps;

    /// <summary>What computes the run.</summary>
    internal RunMachine Machine => RunMachine.Here(_compute, _ranks.Size);

    /// <summary>Makes sure that all ranks are about to do the same.</summary>
    /// <param name="step">The updates that are done.</param>
    /// <exception cref="UserErrorException">They are not; the message names what differs.</exception>
    internal void RequireSameOnAllRanks(long step) => RankAgreement.OnRun(_ranks, _recipe, _data, _compute, Machine, step);

    /// <summary>What a run of the recipe is about to do.</summary>
    /// <param name="folder">Its folder, which need not exist.</param>
    /// <param name="step">The updates that are done.</param>
    internal RunOutline Outline(string folder, long step) => RunOutline.Of(
        _recipe, _plan, _compute, _trainTokens, folder, step, shares: Deals ? _ranks.Size : 1);

    /// <summary>Whether a run has reached the end of the recipe.</summary>
    /// <exception cref="UserErrorException">The checkpoint that the run names is not there.</exception>
    public bool IsFinished(RunDirectory run) => run.LatestCheckpoint == run.CheckpointFolder(TotalSteps);

    /// <summary>Runs, or goes on, to the end of the recipe.</summary>
    /// <param name="run">Where to keep it.</param>
    /// <param name="stop">Asks the run to save its state after the current step and to leave.</param>
    /// <returns>Whether the run has reached its end.</returns>
    /// <exception cref="UserErrorException">The loss is no longer finite, or something cannot be written.</exception>
    public bool Run(RunDirectory run, CancellationToken stop)
    {
        string? resumed = run.LatestCheckpoint;
        TrainingState state = resumed is not null ? Resume(resumed)
            : Deal(FindInitial() is InitialWeights initial ? initial.Begin(_optimizer, _compute.Device, _plan.LossInterval)
                : TrainingState.Begin(
                    _plan.Method.InitialModel, _plan.FinalModel.Layers, _optimizer, _recipe.Seed, _compute.Device, _plan.LossInterval,
                    _mup));
        try
        {
            return Run(run, ref state, stop);
        }
        finally
        {
            state.Dispose();
        }
    }

    /// <summary>The weights that a run of this recipe begins with; null for random ones.</summary>
    /// <exception cref="UserErrorException">They are not there, or do not fit.</exception>
    internal InitialWeights? FindInitial() => _recipe.From is string from
        ? InitialWeights.Find(from, _plan.Method.InitialModel, _plan.FinalModel, _tokenizer)
        : null;

    /// <summary>Makes sure that a run of this recipe may go on from a checkpoint of another run; nothing is written.</summary>
    /// <exception cref="UserErrorException">The recipes differ in what is past by then, or the checkpoint is damaged.</exception>
    internal RunBranch BranchFrom(NamedCheckpoint trunk) => RunBranch.Plan(
        trunk, _recipe, _plan, PlanOf,
        (folder, plan) => Checkpoint.Read(folder, _optimizer, plan.Forecast, _compute.Device, _data));

    /// <summary>Makes sure that a run may go on by this recipe; null where it has it already. Nothing is written.</summary>
    /// <exception cref="UserErrorException">There is no run, or what it has done would be otherwise by this recipe.</exception>
    internal RunProlonging? Prolonging(string run) => RunProlonging.Plan(run, _recipe, _plan, PlanOf);

    private RunPlan PlanOf(Recipe recipe) =>
        new(recipe, _plan.FinalModel, _objective.PredictedShare(_plan.FinalModel.ContextLength));

    /// <summary>Makes a run, which has no checkpoint, begin as a branch.</summary>
    internal void Begin(RunDirectory run, RunBranch branch) => branch.Write(run, state =>
    {
        using CheckpointWriter checkpoints = CheckpointsOf(run);
        Save(checkpoints, state, lastSaved: -1);
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        _train.Dispose();
        _valid?.Dispose();
    }

    private bool Deals => _recipe.Training.ShardOptimizer && _ranks.Size > 1;

    /// <summary>A state whose optimizer is dealt out over the ranks, where the recipe says so.</summary>
    private TrainingState Deal(TrainingState state) => Deals ? ShardedOptimizer.Deal(state, _ranks) : state;

    /// <summary>Reads a checkpoint, which must be one that this very run has written.</summary>
    private TrainingState Resume(string checkpoint)
    {
        TrainingState state = Checkpoint.Read(checkpoint, _optimizer, _plan.Forecast, _compute.Device, _data, Deals ? _ranks : null);
        TrainingPosition position = state.Position;
        bool isOfThisRun = position.Step >= 0 && position.Step <= _plan.TotalSteps
            && position.Tokens == position.Step * _plan.TokensPerStep
            && state.Model.Config.IsSameAs(_plan.Replay(position));
        if (isOfThisRun)
        {
            // The first format knew no losses: the curve begins here.
            bool hasLosses = position.Losses.Interval == _plan.LossInterval;
            state.Position = hasLosses ? position : position with { Losses = new LossCurve(_plan.LossInterval) };
            return state;
        }

        state.Dispose();
        throw new UserErrorException(
            $"{checkpoint} is no checkpoint of this run: config.json or training_state.json say otherwise than recipe.yaml.",
            $"Put the name of another checkpoint into {Path.Combine(Path.GetDirectoryName(checkpoint)!, "latest")}.");
    }

    private bool Run(RunDirectory run, ref TrainingState state, CancellationToken stop)
    {
        if (IsFinished(run))
        {
            return true;
        }

        long lastSaved = run.LatestCheckpoint is null ? -1 : state.Position.Step;
        using CheckpointWriter checkpoints = CheckpointsOf(run);
        using MetricsLog? log = _ranks.IsFirst ? new MetricsLog(run, state.Position.Step) : null;
        var window = new MetricsWindow(state.Position);
        var heldOut = new HeldOutLoss(_objective, _valid, _recipe.Training.MicroBatch, _recipe.Evaluation.Tokens, _compute, ranks: _ranks);
        RankAgreement.OnWeights(_ranks, state.Model.Parameters);

        while (state.Position.Step < _plan.TotalSteps)
        {
            _ranks.At(state.Position.Step);
            if (_ranks.Any(stop.IsCancellationRequested))
            {
                if (!window.IsEmpty)
                {
                    log?.Write(window.Close(state, null));
                }

                checkpoints.Wait();
                Save(checkpoints, state, lastSaved);

                // A launcher ends all ranks where one has left with an error, as a stopped one does: none leaves before rank 0 has saved.
                if (_ranks.Size > 1)
                {
                    _ranks.Meet();
                }

                return false;
            }

            checkpoints.Advance();
            state = Grow(state, checkpoints);
            Update(run, state, window, checkpoints);

            long done = state.Position.Step;
            bool isLast = done == _plan.TotalSteps;
            bool evaluates = isLast || done % _plan.EvaluateEvery == 0;
            bool saves = isLast || done % _plan.CheckpointEvery == 0 || _plan.CheckpointsAt.Contains(done);
            if (evaluates)
            {
                Report(TrainingActivity.Evaluating, state, null);
                _validLoss = heldOut.Measure(state.Model, _plan.Method.EvaluationPlan(state.Model.Config, state.Position)).Loss;
            }

            // A checkpoint ends its interval, so that a resumed run writes the same rows.
            bool logs = evaluates || saves || done % _plan.LogEvery == 0;
            MetricsRow? row = logs ? window.Close(state, evaluates ? _validLoss : null) : null;
            if (row is not null)
            {
                log?.Write(row);
            }

            Report(TrainingActivity.Training, state, row);
            _ranks.At(done);
            if (done % CompareEvery == 0 && !saves)
            {
                RankAgreement.OnWeights(_ranks, state.Model.Parameters);
            }

            if (saves)
            {
                lastSaved = Save(checkpoints, state, lastSaved, inBackground: _recipe.Checkpoint.Background && !isLast);
            }
        }

        return true;
    }

    private TrainingState Grow(TrainingState state, CheckpointWriter checkpoints)
    {
        while (_plan.Method.Next(state.Model.Config, state.Position) is { } growth)
        {
            // Growth has two states in memory already, each of them whole.
            checkpoints.Wait();
            state = ShardedOptimizer.Gather(state, _ranks);
            TrainingPosition before = state.Position;
            var context = new GrowthContext(this, before);
            long started = TimeProvider.System.GetTimestamp();

            // Said before it happens, so that what trains on trial does so at the learning rates that follow it.
            TrainingPosition grown = before.After(growth);
            state.Position = grown;
            state = growth.Operator.Apply(state, context);
            state.Position = grown with
            {
                Flops = before.Flops + context.Flops,
                Seconds = before.Seconds + TimeProvider.System.GetElapsedTime(started).TotalSeconds,
            };
        }

        return state.Optimizer.Shards is null ? Deal(state) : state;
    }

    /// <summary>One update of a state, by what its position says.</summary>
    private StepResult Step(TrainingState state)
    {
        TrainingPosition position = state.Position;
        StepResult result = _step.Run(
            state,
            _recipe.Training.GradientAccumulation,
            microBatch => _plan.Method.Plan(state.Model.Config, position, microBatch),
            (microBatch, plan) => BatchOf(position.Step, microBatch, plan.Length),
            microBatch => new CounterRandom(_recipe.Seed, RandomPurpose.Dropout, position.Step, microBatch).NextUInt64(),
            position.Rates(_plan.LearningRate));
        state.Position = state.Position with { ScheduleStep = _plan.LearningRate.Next(position.ScheduleStep, position.Step) };
        return result;
    }

    private ModelBatch BatchOf(long step, int microBatch, int? length) => ModelBatch.Of(
        BatchesOf(length ?? _plan.FinalModel.ContextLength).At(step, microBatch), _compute.Device);

    /// <summary>Batches of sequences of a length: as many sequences as make the tokens of a micro-batch.</summary>
    private ITrainingBatches BatchesOf(int length)
    {
        if (!_batches.TryGetValue(length, out ITrainingBatches? batches))
        {
            (int whole, int rest) = Math.DivRem(_plan.FinalModel.ContextLength, length);
            batches = rest == 0
                ? _objective.Training(
                    _train, _recipe.Training.MicroBatch * whole, length, _recipe.Training.GradientAccumulation, _recipe.Seed)
                : throw new ArgumentOutOfRangeException(
                    nameof(length), length, $"does not divide the context length {_plan.FinalModel.ContextLength}");
            _batches.Add(length, batches);
        }

        return batches;
    }

    private void Update(RunDirectory run, TrainingState state, MetricsWindow window, CheckpointWriter checkpoints)
    {
        TrainingPosition before = state.Position;
        StepResult result;
        try
        {
            result = Step(state);
        }
        catch (DivergenceException exception)
        {
            checkpoints.Wait();
            string where = _ranks.Size > 1 && exception.MicroBatch is int microBatch
                ? ", on " + _ranks.NameOf(TrainingStep.RankOf(microBatch, _recipe.Training.GradientAccumulation, _ranks))
                : "";
            throw _ranks.Agreed(new UserErrorException(
                $"The run diverged at {exception.Message}{where}. The update was not made.",
                "Use a lower learning_rate.peak or a longer warmup, or precision: f32; the last checkpoint is " +
                (run.LatestCheckpoint ?? "none") + ".",
                exception));
        }

        if (_watch.Tells(result.Loss))
        {
            Warn?.Invoke(_watch.Warning);
        }

        window.Add(result);
        _smoothedLoss = _smoothedLoss is double smoothed
            ? (LossSmoothing * smoothed) + ((1 - LossSmoothing) * result.Loss)
            : result.Loss;
        double seconds = state.Position.Seconds - before.Seconds;
        _speedSeconds += seconds;
        _speedCost += _plan.CostShare(state.Position.Step) - _plan.CostShare(before.Step);
        _tokensPerSecond = (state.Position.Tokens - before.Tokens) / seconds;
    }

    private CheckpointWriter CheckpointsOf(RunDirectory run) => new(
        run, _recipe.Checkpoint, run.Staying(_plan.TokensPerStep, _plan.CheckpointsAt), _tokenizer, _data, _ranks);

    private long Save(CheckpointWriter checkpoints, TrainingState state, long lastSaved, bool inBackground = false)
    {
        if (state.Position.Step == lastSaved)
        {
            return lastSaved;
        }

        RankAgreement.OnWeights(_ranks, state.Model.Parameters);
        Report(TrainingActivity.Saving, state, null);
        ForwardPlan fullDepth = _plan.Method.EvaluationPlan(state.Model.Config, state.Position);
        if (inBackground)
        {
            checkpoints.Begin(state, fullDepth);
        }
        else
        {
            checkpoints.Write(state, fullDepth);
            Report(TrainingActivity.Saved, state, null);
        }

        return state.Position.Step;
    }

    private void Report(TrainingActivity activity, TrainingState state, MetricsRow? row)
    {
        double left = 1 - _plan.CostShare(state.Position.Step);
        TimeSpan? remaining = _speedCost > 0 ? TimeSpan.FromSeconds(left * _speedSeconds / _speedCost) : null;
        _progress?.Invoke(new TrainingProgress(
            activity, state.Position.Step, _plan.TotalSteps, _smoothedLoss, _validLoss, _tokensPerSecond, remaining,
            state.Model.Config.Layers, row));
    }

    /// <summary>The device that a recipe names; on a host of several ranks, each has a GPU of its own.</summary>
    internal static Device DeviceOf(Recipe recipe, Ranks? ranks = null)
    {
        string name = recipe.Training.Device;
        bool isOneOfSeveral = ranks?.Size > 1 && (name == "cuda" || (name == "auto" && Engine.CudaDeviceCount > 0));
        try
        {
            return Device.Parse(isOneOfSeveral ? string.Create(CultureInfo.InvariantCulture, $"cuda:{ranks!.LocalRank}") : name);
        }
        catch (TorchException exception)
        {
            throw new UserErrorException($"training.device: {exception.Message}.", "Use device: auto or cpu.", exception);
        }
    }

    /// <summary>Growth that looks at data: it meets the batches that the run meets next, and pays for what it does.</summary>
    private sealed class GrowthContext(Trainer trainer, TrainingPosition position) : IGrowthContext
    {
        public FlopsCount Flops { get; private set; }

        public Compute Compute => trainer._compute;

        public ulong Seed => trainer._recipe.Seed;

        public Mup? Mup => trainer._mup;

        public ModelBatch Batch(int index)
        {
            (int step, int microBatch) = Math.DivRem(index, trainer._recipe.Training.GradientAccumulation);
            return trainer.BatchOf(position.Step + step, microBatch, length: null);
        }

        public IReadOnlyList<double> Train(TrainingState trial, int steps)
        {
            FlopsCount before = trial.Position.Flops;
            List<double> losses = [];
            try
            {
                while (losses.Count < steps)
                {
                    losses.Add(trainer.Step(trial).Loss);
                }
            }
            catch (DivergenceException)
            {
                losses.Add(double.NaN);
            }

            Charge(trial.Position.Flops - before);
            return losses;
        }

        public void Charge(FlopsCount flops) => Flops += flops;
    }

    private static ModelConfig FinalModel(Recipe recipe, Dataset data)
    {
        int size = recipe.Model.VocabularySize ?? data.VocabularySize;
        string key = ConfigKeys.NameOf(recipe.Model.GetType(), nameof(ModelConfig.VocabularySize));
        return size >= data.VocabularySize
            ? recipe.Model with { VocabularySize = size }
            : throw new UserErrorException(
                $"model.{key} is {size}, but the data in {recipe.Data.Path} uses {data.VocabularySize} ids.",
                $"Leave {key} out, so that it follows from the data, or raise it.");
    }
}
