using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>All growth operators by name; a new one is a file in Operators/ and a line here.</summary>
public static class GrowthOperators
{
    /// <summary>The operators, those that grow depth first.</summary>
    public static IReadOnlyList<OperatorEntry> All { get; } =
    [
        new("interpolate", GrownSizes.Depth, "Apollo, arXiv 2401.09192", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Interpolate)),
        new("stack", GrownSizes.Depth, "StackBERT, Gong et al., ICML 2019", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Stack)),
        new("double-width", GrownSizes.Width, "Staged Training, arXiv 2203.06211", (_, _) => new DoubleWidth()),
    ];

    /// <summary>The operator of a name.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static OperatorEntry Of(string name)
    {
        string[] names = [.. All.Select(entry => entry.Name)];
        string near = NearestName.Of(name, names);
        return All.FirstOrDefault(entry => entry.Name == name) ?? throw new UserErrorException(
            $"There is no growth operator '{name}'.",
            NearestName.IsClose(name, near) ? $"Did you mean {near}?" : $"There are {string.Join(", ", names)}.");
    }
}
