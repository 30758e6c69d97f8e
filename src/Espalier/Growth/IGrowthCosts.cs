using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What work on batches costs in the run that a growth is part of: what <see cref="IGrowthContext"/> will charge, foretold.</summary>
public interface IGrowthCosts
{
    /// <summary>What a micro-batch costs, forward and backward.</summary>
    /// <param name="model">The model that it runs through.</param>
    /// <param name="plan">What runs.</param>
    FlopsCount Batch(ModelConfig model, ForwardPlan plan);

    /// <summary>What <see cref="IGrowthContext.Train"/> costs.</summary>
    /// <param name="model">The model of the state.</param>
    /// <param name="steps">Updates.</param>
    FlopsCount Train(ModelConfig model, int steps);
}
