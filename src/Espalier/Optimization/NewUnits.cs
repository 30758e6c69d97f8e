using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>Which elements of a parameter came with the last growth: those that are new along any of its axes.</summary>
/// <param name="Places">
/// Along each axis, the places that are new, in order; null for none. The whole parameter is new where this is null itself.
/// </param>
public sealed record NewUnits(IReadOnlyList<IReadOnlyList<int>?>? Places)
{
    /// <summary>The whole parameter.</summary>
    public static NewUnits All { get; } = new((IReadOnlyList<IReadOnlyList<int>?>?)null);

    /// <summary>1 for every element that is new, 0 for the others.</summary>
    /// <param name="parameter">Gives shape and device.</param>
    internal Tensor Elements(Parameter parameter)
    {
        (long[] shape, Device device) = (parameter.Spec.Shape, parameter.Value.Device);
        if (Places is null)
        {
            return Tensor.Full(shape, 1, device: device);
        }

        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        Tensor elements = Tensor.Zeros(shape, device: device);
        for (int axis = 0; axis < Places.Count; axis++)
        {
            foreach (int place in Places[axis] ?? [])
            {
                elements.Narrow(axis, place, 1).Fill(1);
            }
        }

        return scope.Keep(elements);
    }
}
