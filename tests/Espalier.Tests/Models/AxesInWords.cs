using Espalier.Models;

namespace Espalier.Tests.Models;

/// <summary>A parameter and its axes as a line: <c>name: Heads 16 Output, Hidden 16 Input</c>.</summary>
internal static class AxesInWords
{
    public static string Of(ParameterSpec spec) => $"{spec.Name}: {string.Join(", ", spec.Axes.Select(axis =>
        $"{axis.Kind} {axis.Size}{(axis.Side == AxisSide.None ? "" : $" {axis.Side}")}"))}";
}
