# What `cmake --install` puts where, and the Debian packages that CPack makes of it: one component a package.
# `cmake --build --preset release --target packages` leaves them in build/release/packages.
include(GNUInstallDirs)

# flotilla_install(COMPONENT PROGRAMS target... MANUALS file...): also its copyright.
function(flotilla_install component)
  cmake_parse_arguments(arg "" "" "PROGRAMS;MANUALS" ${ARGN})
  install(TARGETS ${arg_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
  foreach(manual ${arg_MANUALS})
    string(REGEX REPLACE ".*\\." "" section ${manual})
    install(FILES ${CMAKE_SOURCE_DIR}/docs/man/${manual} DESTINATION share/man/man${section}
            COMPONENT ${component})
  endforeach()
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/copyright DESTINATION share/doc/${component}
          COMPONENT ${component})
endfunction()

flotilla_install(flotilla-init PROGRAMS flotilla-init flotilla-manager flotilla-logd flotilla-exec
                 MANUALS flotilla-init.8)
flotilla_install(fleetd PROGRAMS fleetd fleet-lease MANUALS fleetd.8)
flotilla_install(fleetctl PROGRAMS fleetctl fleetctl-etcd MANUALS fleetctl.1)

set(install_fleetd "
  set(FLOTILLA_PACKAGING \"${CMAKE_SOURCE_DIR}/packaging\")
  set(FLOTILLA_SCRATCH \"${CMAKE_BINARY_DIR}/packaging\")
  set(FLOTILLA_BINDIR \"${CMAKE_INSTALL_BINDIR}\")
  include(\"${CMAKE_SOURCE_DIR}/packaging/install_fleetd.cmake\")")
install(CODE "${install_fleetd}" COMPONENT fleetd)

# fleetctl writes its completions itself, from its tables.
set(completions ${CMAKE_BINARY_DIR}/completions)
add_custom_command(
  OUTPUT ${completions}/fleetctl ${completions}/_fleetctl
  COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}
  COMMAND fleetctl completion bash > ${completions}/fleetctl
  COMMAND fleetctl completion zsh > ${completions}/_fleetctl
  DEPENDS fleetctl VERBATIM)
add_custom_target(completions ALL DEPENDS ${completions}/fleetctl ${completions}/_fleetctl)
add_dependencies(programs completions)
install(FILES ${completions}/fleetctl DESTINATION share/bash-completion/completions COMPONENT fleetctl)
install(FILES ${completions}/_fleetctl DESTINATION share/zsh/vendor-completions COMPONENT fleetctl)

file(GLOB pages ${CMAKE_SOURCE_DIR}/docs/*.md)
install(FILES ${pages} ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/packaging/copyright
        DESTINATION share/doc/flotilla-doc COMPONENT flotilla-doc)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples DESTINATION share/doc/flotilla-doc
        COMPONENT flotilla-doc)

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL flotilla-init fleetd fleetctl flotilla-doc)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
# Installed to where they will be, below a folder: the unit and the configuration depend on the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The authors of Flotilla <maintainers@flotilla.invalid>")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# flotilla_package(NAME SECTION SUMMARY TEXT): the name is its component's.
macro(flotilla_package name section summary text)
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary}\n${text}")
endmacro()
flotilla_package(flotilla-init admin "Service manager for systemd unit files"
  "Starts and supervises services from systemd unit files: as PID 1 of a container or\nmachine, or as a plain daemon. Speaks systemd's D-Bus API, needs no systemd.")
flotilla_package(fleetd admin "Cluster daemon: systemd units on many machines"
  "Agent, engine and API of one machine, with fleet's HTTP API. Enabled by\nsystemctl enable --now fleet.socket; configured in /etc/fleet/fleet.conf.")
flotilla_package(fleetctl admin "Command line of a cluster of systemd units"
  "Submits, starts, stops and watches the units of a cluster through fleetd's API.")
flotilla_package(flotilla-doc doc "Manual of Flotilla"
  "Guides and references of flotilla-init, fleetd and fleetctl, and example units.")
foreach(name FLOTILLA-INIT FLEETD FLEETCTL)
  set(CPACK_DEBIAN_${name}_PACKAGE_SHLIBDEPS ON)
endforeach()
# Opened when it is needed, which shlibdeps does not see.
set(CPACK_DEBIAN_FLOTILLA-INIT_PACKAGE_DEPENDS libsystemd0)
set(CPACK_DEBIAN_FLEETD_PACKAGE_DEPENDS libsystemd0)
set(CPACK_DEBIAN_FLEETD_PACKAGE_RECOMMENDS "systemd | flotilla-init, fleetctl")
set(CPACK_DEBIAN_FLEETD_PACKAGE_CONFLICTS fleet)
set(CPACK_DEBIAN_FLEETD_PACKAGE_REPLACES fleet)
set(CPACK_DEBIAN_FLEETCTL_PACKAGE_RECOMMENDS openssh-client)
set(CPACK_DEBIAN_FLEETCTL_PACKAGE_CONFLICTS fleet)
set(CPACK_DEBIAN_FLEETCTL_PACKAGE_REPLACES fleet)
set(CPACK_DEBIAN_FLOTILLA-DOC_PACKAGE_ARCHITECTURE all)
set(control ${CMAKE_SOURCE_DIR}/packaging/debian)
set(CPACK_DEBIAN_FLEETD_PACKAGE_CONTROL_EXTRA
    "${control}/conffiles;${control}/postinst;${control}/prerm;${control}/postrm")
include(CPack)

add_custom_target(packages
  COMMAND ${CMAKE_CPACK_COMMAND} --config ${CMAKE_BINARY_DIR}/CPackConfig.cmake
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
add_dependencies(packages programs)
