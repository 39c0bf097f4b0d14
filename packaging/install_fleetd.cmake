# What `cmake --install` and CPack put beside the programs where it depends on the prefix, which may be another
# one than that of the build: the unit of fleetd, and its configuration, which is never overwritten.
#   FLOTILLA_PACKAGING: this folder, FLOTILLA_SCRATCH: a folder of the build, FLOTILLA_BINDIR: below the prefix
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(configuration /etc/fleet)
  set(FLEETD_COMMAND "/usr/${FLOTILLA_BINDIR}/fleetd")
else()
  set(configuration ${CMAKE_INSTALL_PREFIX}/etc/fleet)
  set(FLEETD_COMMAND
      "${CMAKE_INSTALL_PREFIX}/${FLOTILLA_BINDIR}/fleetd --config ${configuration}/fleet.conf")
endif()
configure_file(${FLOTILLA_PACKAGING}/fleet.service.in ${FLOTILLA_SCRATCH}/fleet.service @ONLY)
set(units ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
file(INSTALL ${FLOTILLA_SCRATCH}/fleet.service ${FLOTILLA_PACKAGING}/fleet.socket DESTINATION "${units}")
if(EXISTS "$ENV{DESTDIR}${configuration}/fleet.conf")
  message(STATUS "Kept as it is: $ENV{DESTDIR}${configuration}/fleet.conf")
else()
  file(INSTALL ${FLOTILLA_PACKAGING}/fleet.conf DESTINATION "${configuration}")
endif()
