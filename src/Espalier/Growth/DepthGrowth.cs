using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Stores more layers, each a copy of an old one chosen by a layer map (Apollo, section "expansion"; StackBERT with
/// <see cref="LayerMapKind.Stack"/>). Embeddings, final norm, head and the position stay as they are.
/// </summary>
/// <param name="Layers">The layers to store from now on; more than before.</param>
/// <param name="Map">Which old layer each new one copies.</param>
/// <param name="Moments">What becomes of the layers' moments.</param>
public sealed record DepthGrowth(int Layers, LayerMapKind Map, MomentPolicy Moments) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Layers };

    /// <inheritdoc/>
    public override TrainingState Apply(TrainingState state)
    {
        using IDisposable _ = TensorScope.Suspend();
        int before = state.Model.Layers;
        int[] map = LayerMap.Build(Map, before, Layers);
        ModelConfig model = Grow(state.Model);
        var old = state.Parameters.ToDictionary(parameter => parameter.Name);
        AdamWState optimizer = state.Optimizer;

        var parameters = new List<Parameter>();
        var moments = new Dictionary<string, Moments>();
        foreach (ParameterSpec spec in Architectures.Of(model.ModelType).Parameters(model))
        {
            if (spec.Layer is not int layer)
            {
                // Moved, not copied.
                parameters.Add(old[spec.Name]);
                moments.Add(spec.Name, Moments == MomentPolicy.Reset
                    ? Optimization.Moments.Empty(old[spec.Name].Value)
                    : optimizer.Moments[spec.Name].Copy());
                continue;
            }

            Tensor value = ParameterSet.Trainable(state.Parameters[map[layer], spec.Role].Clone());
            parameters.Add(new Parameter(spec, value));
            moments.Add(spec.Name, Moments switch
            {
                MomentPolicy.Keep when layer < before => optimizer.Moments[spec.Name].Copy(),
                MomentPolicy.Map => optimizer.Moments[NameIn(old.Values, map[layer], spec.Role)].Copy(),
                _ => Optimization.Moments.Empty(value),
            });
        }

        var grown = new TrainingState(
            model,
            new ParameterSet(parameters),
            new AdamWState(moments, Moments == MomentPolicy.Reset ? 0 : optimizer.StepCount),
            state.Position);
        foreach (Parameter parameter in old.Values.Where(parameter => parameter.Spec.Layer is not null))
        {
            parameter.Value.Dispose();
        }

        optimizer.Dispose();
        return grown;
    }

    private static string NameIn(IEnumerable<Parameter> parameters, int layer, string role) =>
        parameters.First(parameter => parameter.Spec.Layer == layer && parameter.Spec.Role == role).Name;
}
