namespace Espalier.Reporting;

/// <summary>Whether a run goes on, and if not, why.</summary>
public enum RunState
{
    /// <summary>A process writes to it.</summary>
    Running,

    /// <summary>It has reached its end.</summary>
    Finished,

    /// <summary>It was asked to stop, and saved its state.</summary>
    Stopped,

    /// <summary>Something went wrong.</summary>
    Failed,

    /// <summary>Its process ended without a word, or it is a folder of which nobody knows more.</summary>
    Interrupted,
}
