using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Maps a whole training state to a larger one (Staged Training, section 3): parameters, moments and position
/// together, so that training goes on as if nothing had happened.
/// </summary>
public abstract record GrowthOperator
{
    /// <summary>What becomes of the model itself.</summary>
    public abstract ModelConfig Grow(ModelConfig model);

    /// <summary>Grows a state.</summary>
    /// <param name="state">The state to grow; it is used up, its tensors move into the result or are freed.</param>
    public abstract TrainingState Apply(TrainingState state);
}
