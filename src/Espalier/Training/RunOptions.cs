using Espalier.Distributed;

namespace Espalier.Training;

/// <summary>How a run begins or goes on, beside its recipe.</summary>
public sealed record RunOptions
{
    /// <summary>
    /// A checkpoint of another run, <c>RUN@STEP</c>, or <c>RUN</c> for its latest, whose state a new run goes on with. The recipes may differ
    /// in what has no say before that step: then the run ends as one of its recipe that began at step 0. Null for none. A run that has a checkpoint
    /// of its own goes on from that.
    /// </summary>
    public string? From { get; init; }

    /// <summary>The processes that train the run, which all call with the same recipe and folder; the first alone writes.</summary>
    public Ranks Ranks { get; init; } = Ranks.Single;

    /// <summary>
    /// Whether a run that is there goes on by a recipe other than its own, from its last checkpoint: longer, or at another learning rate. Its growths
    /// and the layers that it has executed must be those of this recipe too.
    /// </summary>
    public bool Prolong { get; init; }

    /// <summary>
    /// Whether the run chooses its number of threads where <c>training.threads</c> leaves it open, by what the machine has free, and warns where it is
    /// too many; else it is that of <see cref="Torch.Engine.Threads"/>.
    /// </summary>
    public bool ChooseThreads { get; init; }

    /// <summary>Hears what the run is about to do, before its first update; not where nothing is left to do.</summary>
    public Action<RunOutline>? Begins { get; init; }

    /// <summary>Hears a line about what a person may want to know before it is too late.</summary>
    public Action<string>? Warn { get; init; }
}
