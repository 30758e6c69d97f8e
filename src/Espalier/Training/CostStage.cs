using Espalier.Models;

namespace Espalier.Training;

/// <summary>A stretch of a run in which the model stays as it is stored.</summary>
/// <param name="Model">The model.</param>
/// <param name="Begin">Its first update.</param>
/// <param name="End">The update after its last.</param>
/// <param name="Flops">What it is expected to cost.</param>
/// <param name="Depth">The most layers that it executes in a micro-batch.</param>
internal sealed record CostStage(ModelConfig Model, long Begin, long End, FlopsCount Flops, int Depth);
