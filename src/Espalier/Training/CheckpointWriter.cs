using Espalier.Data;
using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// Writes the checkpoints of a run, one at a time: at once, or from a copy of the state by a background task, while the run trains
/// on. What goes wrong there is thrown by the next call of any member but <see cref="Dispose"/>. The first rank writes them; where the
/// optimizer is dealt out all ranks write their shares first, and call the same members in the same order.
/// </summary>
/// <param name="run">Where they lie.</param>
/// <param name="config">How many stay.</param>
/// <param name="stay">The steps whose checkpoints stay besides.</param>
/// <param name="tokenizer">The tokenizer of the run's text.</param>
/// <param name="data">The <see cref="Dataset.Inputs"/> of the run's dataset.</param>
/// <param name="ranks">The ranks of the run.</param>
internal sealed class CheckpointWriter(
    RunDirectory run, CheckpointConfig config, IReadOnlySet<long> stay, Tokenizer tokenizer, string data, Ranks ranks) : IDisposable
{
    private Task? _writing;

    // What there is to do when all ranks have written their shares, and where those lie; null where there are none.
    private Action? _rest;
    private string? _shards;

    /// <summary>Writes a checkpoint, which is complete when the call returns; on the ranks after the first at the call that follows.</summary>
    /// <exception cref="UserErrorException">It cannot be written, or the one before could not.</exception>
    public void Write(TrainingState state, ForwardPlan fullDepth)
    {
        Wait();
        if (HasPart(state))
        {
            Start(state, fullDepth, isCopy: false);
            Wait();
        }
    }

    /// <summary>Copies the state into the processor's memory and begins to write it; waits for the one before.</summary>
    /// <exception cref="UserErrorException">The one before could not be written.</exception>
    public void Begin(TrainingState state, ForwardPlan fullDepth)
    {
        Wait();
        if (HasPart(state))
        {
            Start(state.Copy(Device.Cpu), fullDepth, isCopy: true);
        }
    }

    /// <summary>Goes on with the last checkpoint if all ranks have written their shares, and throws if it could not be written; does not wait for it.</summary>
    /// <exception cref="UserErrorException">It could not.</exception>
    public void Advance()
    {
        if (_writing?.IsFaulted == true || (_rest is null && _writing?.IsCompleted == true))
        {
            Wait();
        }
        else if (_rest is Action rest && !ranks.Any(!_writing!.IsCompleted))
        {
            _rest = null;
            _writing = Task.Run(rest);
        }
    }

    /// <summary>Returns when everything begun is on the disk.</summary>
    /// <exception cref="UserErrorException">It could not be written.</exception>
    public void Wait()
    {
        Task? writing = _writing;
        _writing = null;
        writing?.GetAwaiter().GetResult();
        if (_rest is Action rest)
        {
            ranks.Meet();
            _rest = null;
            rest();
        }
    }

    /// <summary>Waits for what is being written; its failure matters less than what else ends the run.</summary>
    public void Dispose()
    {
        if (_writing is not null)
        {
            ((IAsyncResult)_writing).AsyncWaitHandle.WaitOne();
            _ = _writing.Exception;
        }

        if (_rest is not null && ranks.IsFirst)
        {
            AtomicFolder.TryDelete(_shards!);
        }
    }

    private bool HasPart(TrainingState state) => ranks.IsFirst || state.Optimizer.Shards is not null;

    private void Start(TrainingState state, ForwardPlan fullDepth, bool isCopy)
    {
        string folder = run.CheckpointFolder(state.Position.Step);
        if (ranks.IsFirst)
        {
            run.RequireThere();
        }

        if (state.Optimizer.Shards is null)
        {
            _writing = Go(() => Finish(null));
            return;
        }

        string shards = _shards = ranks.SaidByFirst(() => Checkpoint.Beside(folder));
        _rest = () => Finish(shards);
        _writing = Go(() => Checkpoint.WriteShard(shards, folder, state.Optimizer, ranks.Rank));

        Task Go(Action write)
        {
            if (isCopy)
            {
                return Task.Run(write);
            }

            write();
            return Task.CompletedTask;
        }

        void Finish(string? shards)
        {
            if (ranks.IsFirst)
            {
                Checkpoint.Write(folder, state, fullDepth, tokenizer, data, shards);
                run.SetLatest(folder, config.Keep, stay);
            }

            if (isCopy)
            {
                state.Dispose();
            }
        }
    }
}
