using Espalier.Models;
using Espalier.Tests.Growth;

namespace Espalier.Tests.Optimization;

/// <summary>Parameters with gradients that are known.</summary>
internal static class Gradients
{
    /// <summary>Every element of parameter i has the gradient that the function gives.</summary>
    public static ParameterSet Of(Func<int, double> gradient)
    {
        ParameterSet parameters = Sample.Parameters(GrowthSample.Gpt2(1));
        int i = 0;
        foreach (Parameter parameter in parameters)
        {
            (parameter.Value * gradient(i++)).Sum().Backward();
        }

        return parameters;
    }
}
