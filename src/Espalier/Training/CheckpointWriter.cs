using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// Writes the checkpoints of a run, one at a time: at once, or from a copy of the state by a background task, while the run trains
/// on. What goes wrong there is thrown by the next call of any member but <see cref="Dispose"/>.
/// </summary>
/// <param name="run">Where they lie.</param>
/// <param name="config">How many stay.</param>
/// <param name="stay">The steps whose checkpoints stay besides.</param>
/// <param name="tokenizer">The tokenizer of the run's text.</param>
/// <param name="data">The <see cref="Dataset.Inputs"/> of the run's dataset.</param>
internal sealed class CheckpointWriter(
    RunDirectory run, CheckpointConfig config, IReadOnlySet<long> stay, Tokenizer tokenizer, string data) : IDisposable
{
    private Task? _writing;

    /// <summary>Writes a checkpoint, which is complete when the call returns.</summary>
    /// <exception cref="UserErrorException">It cannot be written, or the one before could not.</exception>
    public void Write(TrainingState state, ForwardPlan fullDepth)
    {
        Wait();
        run.RequireThere();
        WriteNow(state, fullDepth);
    }

    /// <summary>Copies the state into the processor's memory and begins to write it; waits for the one before.</summary>
    /// <exception cref="UserErrorException">The one before could not be written.</exception>
    public void Begin(TrainingState state, ForwardPlan fullDepth)
    {
        Wait();
        run.RequireThere();
        TrainingState snapshot = state.Copy(Device.Cpu);
        _writing = Task.Run(() =>
        {
            using (snapshot)
            {
                WriteNow(snapshot, fullDepth);
            }
        });
    }

    /// <summary>Throws if the last checkpoint could not be written; does not wait for it.</summary>
    /// <exception cref="UserErrorException">It could not.</exception>
    public void ThrowIfFailed()
    {
        if (_writing?.IsCompleted == true)
        {
            Wait();
        }
    }

    /// <summary>Returns when everything begun is on the disk.</summary>
    /// <exception cref="UserErrorException">It could not be written.</exception>
    public void Wait()
    {
        Task? writing = _writing;
        _writing = null;
        writing?.GetAwaiter().GetResult();
    }

    /// <summary>Waits for what is being written; its failure matters less than what else ends the run.</summary>
    public void Dispose()
    {
        if (_writing is not null)
        {
            ((IAsyncResult)_writing).AsyncWaitHandle.WaitOne();
            _ = _writing.Exception;
        }
    }

    private void WriteNow(TrainingState state, ForwardPlan fullDepth)
    {
        string folder = run.CheckpointFolder(state.Position.Step);
        Checkpoint.Write(folder, state, fullDepth, tokenizer, data);
        run.SetLatest(folder, config.Keep, stay);
    }
}
